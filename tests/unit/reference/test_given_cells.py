"""A table counted on the cells of another profile, and what of it is a version's own reference of the prediction."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from monitor.errors import SpecError
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.layout import CellsLayout, Slot
from monitor.reference.prediction_profile import minutes_covered, prediction_counts, prediction_problems
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind

START = 1_780_272_000_000
DESCRIPTION = ReferenceDescription(
    features=(("amount", ColumnKind.NUMERIC), ("country", ColumnKind.CATEGORICAL)), score="score", label="label"
)


def table(rows: int = 4_000, *, seed: int = 1, power: float = 1.0) -> pa.Table:
    random = np.random.default_rng(seed)
    score = random.uniform(size=rows) ** power
    return pa.table(
        {
            "amount": random.normal(50, 10, size=rows),
            "country": random.choice(["DE", "FR"], size=rows),
            "score": score,
            "label": np.where(score > 0.5, "yes", "no"),
        }
    )


def built(
    rows: pa.Table, *, cells: CellsLayout | None = None, description: ReferenceDescription = DESCRIPTION
) -> ReferenceProfile:
    return build_profile(rows, description=description, source="t.parquet", cells=cells)


MODEL = built(table())


def problems(profile: ReferenceProfile, *, min_events: int = 100) -> tuple[str, ...]:
    return prediction_problems(profile, MODEL.layout, model="fraud", min_events=min_events, version="3.2.0")


def test_the_same_table_on_its_own_cells_is_the_same_profile() -> None:
    assert built(table(), cells=MODEL.layout) == MODEL


def test_each_value_counts_where_a_window_would_count_it() -> None:
    """On the model's edges, outside of them in the slots below and above; a category that it has not is unseen."""
    rows = table(500, seed=2)
    amounts = np.concatenate([[-1000.0, 1000.0, 1001.0], rows["amount"].to_numpy()[3:]])
    rows = rows.set_column(0, "amount", pa.array(amounts)).set_column(1, "country", pa.array(["IT", *["DE"] * 499]))
    profile = built(rows, cells=MODEL.layout)
    assert profile.layout == MODEL.layout
    amount, country = MODEL.layout.spans[:2]
    edges = [*MODEL.layout.columns[0].edges, np.nextafter(MODEL.layout.columns[0].maximum, np.inf)]
    assert profile.counts[amount.start : amount.slots].tolist() == np.histogram(amounts, bins=edges)[0].tolist()
    slots = profile.counts[amount.slots : amount.stop]
    assert slots[Slot.BELOW] == (amounts < edges[0]).sum() >= 1
    assert slots[Slot.ABOVE] == (amounts >= edges[-1]).sum() >= 2
    assert profile.counts[country.start : country.slots].tolist() == [499, 0]
    assert profile.counts[country.slots + Slot.UNSEEN] == 1


def test_the_order_is_that_of_the_given_cells() -> None:
    other_order = ReferenceDescription(features=DESCRIPTION.features[::-1], score="score", label="label")
    assert built(table(), cells=MODEL.layout, description=other_order).layout == MODEL.layout


def test_what_cannot_be_counted_on_them_is_refused() -> None:
    rows = table(200)
    with pytest.raises(SpecError, match=r"column 'country': expected one of 'DE', 'FR', found only 'IT'"):
        built(rows.set_column(1, "country", pa.array(["IT"] * 200)), cells=MODEL.layout)
    with pytest.raises(SpecError, match=r"column 'score': expected scores between 0 and 1, found 0 to 2"):
        built(rows.set_column(2, "score", pa.array([0.0, 2.0] * 100)), cells=MODEL.layout)
    as_number = ReferenceDescription(
        features=(("amount", ColumnKind.CATEGORICAL), DESCRIPTION.features[1]), score="score", label="label"
    )
    with pytest.raises(SpecError, match=r"expected categorical cells of 'amount' as in the spec, found numeric ones"):
        built(rows, cells=MODEL.layout, description=as_number)


def test_only_the_prediction_is_taken() -> None:
    """Other cells of a feature do not matter: it stays the model's."""
    profile = built(table(2_000, seed=3, power=2.0), cells=MODEL.layout)
    counts = prediction_counts(profile, MODEL.layout)
    _, country, score, label, _ = MODEL.layout.spans
    assert counts[: country.stop].sum() == counts[label.stop :].sum() == 0
    assert (counts[score.start : label.stop] == profile.counts[score.start : label.stop]).all()
    columns = profile.layout.columns
    moved = msgspec.structs.replace(columns[0], far_low=-1.0)
    other = msgspec.structs.replace(profile, layout=CellsLayout(columns=(moved, *columns[1:])))
    assert problems(other) == ()


def test_other_cells_are_refused_with_what_makes_the_right_ones() -> None:
    """In the sentence of the last column on other cells: it is no problem of its own."""
    (score,) = problems(built(table(2_000, seed=3, power=2.0)))
    assert score.startswith("prediction.score: expected the cells of fraud (1,000 cells from 9.6")
    assert "), found 1,000 cells from " in score
    assert score.endswith(
        "; count t.parquet on them: `driftline reference build SPEC --from t.parquet --cells-of fraud --output "
        "fraud-3.2.0.reference` (SPEC: the model's spec file)"
    )
    learnt = msgspec.structs.replace(built(table(2_000, seed=3, power=2.0)), source="events of fraud in predictions.v1")
    (score,) = problems(learnt)
    assert "count events of fraud in predictions.v1 on them: `driftline reference build SPEC --from FILE" in score


def test_the_same_number_and_range_may_be_other_cells() -> None:
    columns = list(MODEL.layout.columns)
    edges = columns[2].edges
    between = (edges[1] + edges[2]) / 2
    columns[2] = msgspec.structs.replace(columns[2], edges=(edges[0], between, *edges[2:]))
    other = msgspec.structs.replace(MODEL, layout=CellsLayout(columns=tuple(columns)))
    assert "found others of the same number and range" in problems(other)[0]


def test_too_few_values_and_absent_columns_are_named() -> None:
    assert problems(built(table(60), cells=MODEL.layout)) == (
        "prediction.score: expected at least 100 values (windows.min_events), found 60",
        "prediction.label: expected at least 100 values (windows.min_events), found 60",
    )
    without = ReferenceDescription(features=DESCRIPTION.features, score="score")
    layout = CellsLayout(columns=tuple(c for c in MODEL.layout.columns if c.name != "prediction.label"))
    assert problems(built(table(), cells=layout, description=without)) == (
        "prediction.label: expected this column, found none",
    )


def test_the_time_covered_is_known_where_rows_have_time_stamps() -> None:
    assert minutes_covered(MODEL) is None
    rows = table().append_column("at", pa.array(START + np.arange(4_000) * 60_000))
    description = ReferenceDescription(
        features=DESCRIPTION.features, score="score", label="label", timestamp="at", lengths=(60,)
    )
    assert minutes_covered(built(rows, description=description)) == 3_999
