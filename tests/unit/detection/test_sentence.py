"""What people read: labels of bins and cells, and sentences made of stored numbers."""

import math

import numpy as np
import pytest

from monitor.detection import prepare_reference
from monitor.detection.explanation import bin_label, cell_label
from monitor.humanize import index_text, percent, span_words
from monitor.reference.layout import ColumnCells, ColumnRole
from monitor.reference.profile import ColumnMovement
from monitor.spec.model import ColumnKind
from monitor.types import Calibration
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, profile_of, spec_of

# Points at 0 and 61; between and after them intervals.
EDGES = (0.0, math.nextafter(0.0, 1.0), 61.0, math.nextafter(61.0, 100.0), 78.0)
AGE = ColumnCells(
    name="age",
    kind=ColumnKind.NUMERIC,
    role=ColumnRole.FEATURE,
    edges=EDGES,
    points=(True, False, True, False, False),
    maximum=99.0,
)
CITY = ColumnCells(
    name="city", kind=ColumnKind.CATEGORICAL, role=ColumnRole.FEATURE, categories=("bonn", "paris", "trier")
)


@pytest.mark.parametrize(
    ("bins", "labels"),
    [
        # The first bin holds what is below the reference and the last what is above it.
        ((0, 1, 1, 2, 3), ("up to 0", "(0, 61]", "(61, 78)", "from 78")),
        ((0, 0, 1, 1, 1), ("under 61", "from 61")),
        ((0, 0, 0, 1, 1), ("up to 61", "above 61")),
        ((0, 1, 2, 3, 3), ("up to 0", "(0, 61)", "61", "above 61")),
    ],
)
def test_numeric_bins_are_named_by_what_they_hold(bins: tuple[int, ...], labels: tuple[str, ...]) -> None:
    """An edge just past a single value is that value excluded; first and last bin are open to the outside."""
    assert tuple(bin_label(AGE, bins, index) for index in range(len(labels))) == labels


def test_categories_are_named_and_rare_ones_counted() -> None:
    """The bin of the rare has no name of its own."""
    assert bin_label(CITY, (1, 0, 1), 0) == "`paris`"
    assert bin_label(CITY, (1, 0, 1), 1) == "2 rare categories together"
    assert (cell_label(CITY, 2), cell_label(AGE, 2), cell_label(AGE, 3)) == ("`trier`", "61", "(61, 78)")


def test_percent_is_never_rounded_to_all_or_nothing() -> None:
    """0 % is none and 100 % is all; in between a reader sees that it is in between."""
    shares = (0.0, 0.00001, 0.001, 0.0123, 0.05, 0.214, 0.994, 0.99999, 1.0)
    assert [percent(share) for share in shares] == [
        "0 %",
        "under 0.01 %",
        "0.1 %",
        "1.2 %",
        "5 %",
        "21 %",
        "99.4 %",
        "over 99.9 %",
        "100 %",
    ]
    assert (index_text(0.004), index_text(0.238)) == ("0.004", "0.24")
    assert [span_words(minutes) for minutes in (10, 60, 1440, 10080)] == ["10 m", "1 h", "24 h", "7 d"]


def test_a_drift_sentence_holds_the_stored_numbers() -> None:
    """Every number of the sentence is one that the result stores or the spec and the counts have."""
    generator = np.random.default_rng(95)
    reference = {"age": np.round(generator.normal(50.0, 10.0, 20_000))}
    layout = layout_of(reference)
    counts = count(layout, reference)
    known = ColumnMovement(kappa=0.0003, nu=6.0, status=Calibration.MEASURED, blocks=10_000, sampling=0.0004)
    movement = {30: known, 60: known}
    prepared = prepare_reference(spec_of(layout), profile_of(layout, counts, age=movement))
    first, second = (count(layout, {"age": np.round(generator.normal(55.0, 10.0, 3006))}) for _ in range(2))
    result = decide_window(prepared, scale=HOUR, first_half=first, second_half=second, events=6012)
    (finding,), (column,) = result.findings, result.columns
    assert column.psi_low is not None
    assert column.phi is not None
    # kappa / (1/n + 1/m) is 0.0003 * 6012 * 20000 / 26012 = 1.39.
    assert column.phi == pytest.approx(2.387, abs=0.001)
    assert finding.sentence.startswith(
        f"`age`: PSI {column.psi:.2f} (at least {column.psi_low:.2f} at 99.9 %): warning 0.1 proven, alert 0.2 not; "
        f"1 h window, 6,012 events, this column naturally moves ×2.4; both halves; largest change "
    )
    live, held = first + second, counts
    bins = np.array(prepared.bins[0])
    shares = {
        number: (live[: len(bins)][bins == number].sum() / 6012, held[: len(bins)][bins == number].sum() / 20_000)
        for number in range(bins.max() + 1)
    }
    last = shares[int(bins.max())]
    above = live[prepared.layout.spans[0].slots + 3] / 6012
    assert finding.sentence.endswith(f": {percent(last[0] + above)} of events, reference {percent(last[1])}.")
    assert result.sentence == finding.sentence


def test_other_findings_are_named_after_the_first() -> None:
    """The window's sentence explains the worst finding and names the rest."""
    generator = np.random.default_rng(96)
    reference = {name: generator.normal(size=20_000) for name in ("a", "b", "c")}
    layout = layout_of(reference)
    prepared = prepare_reference(spec_of(layout), profile_of(layout, count(layout, reference)))
    counts = count(
        layout, {name: generator.normal(shift, size=3000) for name, shift in (("a", 0.7), ("b", 1.0), ("c", 0.0))}
    )
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=6000)
    assert result.sentence == f"{result.findings[0].sentence} Also: `a` (psi)."
    assert result.findings[0].column == "b"
