"""Remarks on a version's own reference: what of it cannot be compared well with the version's windows."""

import numpy as np
import pyarrow as pa

from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.layout import CellsLayout
from monitor.reference.profile import ReferenceProfile
from monitor.reference.version_checks import version_remarks
from monitor.spec.model import ColumnKind

START = 1_780_272_000_000
LENGTHS = (10, 1440)
ROWS = 4_000


def profile(scores: np.ndarray, *, cells: CellsLayout | None = None, timed: bool = True) -> ReferenceProfile:
    description = ReferenceDescription(
        features=(("amount", ColumnKind.NUMERIC),),
        score="score",
        timestamp="at" if timed else None,
        lengths=LENGTHS if timed else (),
    )
    amounts = [None if at % 5 < 3 else float(at) for at in range(ROWS)]  # a remark on an input
    rows = pa.table({"amount": amounts, "score": scores, "at": START + np.arange(ROWS) * 1000})
    return build_profile(rows, description=description, source="t.parquet", cells=cells)


MODEL = profile(np.random.default_rng(1).uniform(0.2, 0.8, size=ROWS))


def said(scores: np.ndarray, *, timed: bool = True) -> list[str]:
    built = profile(scores, cells=MODEL.layout, timed=timed)
    return [remark.text for remark in version_remarks(built, lengths=LENGTHS)]


def test_natural_movement_and_inputs_are_the_models() -> None:
    """An hour of rows and an input that is often missing deserve a remark of the model's reference, and none here."""
    assert said(np.random.default_rng(2).uniform(0.2, 0.8, size=ROWS)) == []


def test_without_time_stamps_its_values_count_as_one_stretch() -> None:
    (time,) = said(np.random.default_rng(2).uniform(0.2, 0.8, size=ROWS), timed=False)
    assert time == (
        "It has no time stamps: its values count as those of one stretch as long as the longest window, 24h. Name the "
        "column of times with --timestamp."
    )


def test_scores_that_no_cell_holds_are_named() -> None:
    """A version that is surer of itself: a fifth of its scores lies beyond each end of the model's cells."""
    low, high = said(np.linspace(0.0, 1.0, ROWS))
    assert low.startswith("prediction.score: 20% of its values lie under 0.2")
    assert high.startswith("prediction.score: 20% of its values lie over 0.")
    assert "how they move among themselves is not seen" in low
