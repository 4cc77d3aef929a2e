"""A reference from live counts: of the base's own time it is the base itself."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from monitor.detection import prepare_reference
from monitor.reference.arrow_columns import epoch_millis, numeric_column, text_column
from monitor.reference.build import build_profile
from monitor.reference.counting import categorical_places, counts_on_cells, numeric_places
from monitor.reference.description import ReferenceDescription, spec_of_profile
from monitor.reference.layout import SLOTS, Slot
from monitor.reference.profile import ReferenceProfile, truth_blocks
from monitor.reference.rolling import CoarseOrder, LiveBlocks, LiveSums, block_minutes_of, rolling_profile
from monitor.season_clock import HOURS_OF_DAY
from monitor.spec.model import ColumnKind, Seasonality
from monitor.types import Season
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.models.decided import decide_window

DAY = 86_400_000
START = 1_780_272_000_000 // DAY * DAY
LENGTHS = (20, 60, 1440)
DESCRIPTION = ReferenceDescription(
    features=(("x", ColumnKind.NUMERIC), ("c", ColumnKind.CATEGORICAL)),
    value="y",
    timestamp="at",
    lengths=LENGTHS,
)


def table_of(days: float, *, seed: int, mean: float = 0.0, every: int = 10_000) -> pa.Table:
    """A column that follows the hour, one that is missing now and then, categories."""
    random = np.random.default_rng(seed)
    rows = int(days * DAY / every)
    at = START + np.arange(rows) * every
    x = random.normal(mean + 0.5 * np.sin(2 * np.pi * at / DAY), 1)
    return pa.table(
        {
            "at": at,
            "x": pa.array(x, pa.float64(), mask=random.uniform(size=rows) < 0.02),
            "c": random.choice(["a", "b", "c"], size=rows, p=[0.7, 0.25, 0.05]),
            "y": random.exponential(size=rows),
        }
    )


def counted(profile: ReferenceProfile, table: pa.Table) -> np.ndarray:
    """Return the vector that ingest would count of the rows of *table*."""
    parts = []
    for cells, source in zip(profile.layout.columns, ("x", "c", "y", None), strict=True):
        if source is None:  # every event took 5 ms
            latency = np.zeros(cells.cells + SLOTS, dtype=np.int64)
            latency[np.searchsorted(cells.edges, 5.0, side="right") - 1] = len(table)
            parts.append(latency)
        elif cells.kind is ColumnKind.NUMERIC:
            parts.append(counts_on_cells(cells, numeric_places(cells, numeric_column(table[source]))))
        else:
            parts.append(counts_on_cells(cells, categorical_places(cells, text_column(table[source]))))
    return np.concatenate(parts)


def rolled(base: ReferenceProfile, table: pa.Table) -> ReferenceProfile:
    """Return the rolling reference of *table*, fed hour by hour and block by block."""
    times, minutes = epoch_millis(table["at"]), block_minutes_of(base, lengths=LENGTHS)
    order = CoarseOrder(base)

    def pieces(size: int) -> list[tuple[int, pa.Table]]:
        starts = times // size * size
        return [(int(at), table.filter(pa.array(starts == at))) for at in np.unique(starts)]

    hours = pieces(HOUR_MILLIS)
    sums = LiveSums(base, starts=[at for at, _ in hours], clock=HOURS_OF_DAY, block_minutes=minutes)
    for at, part in hours:
        sums.add(at, counted(base, part), events=len(part))
    blocks = [(at, order.coarse(counted(base, part))) for at, part in pieces(minutes * MINUTE_MILLIS)]
    live = LiveBlocks(
        minutes=minutes, starts=tuple(at for at, _ in blocks), counts=np.array([counts for _, counts in blocks])
    )
    stop = hours[-1][0] + HOUR_MILLIS
    return rolling_profile(base, sums, live, lengths=LENGTHS, start=hours[0][0], stop=stop, source="live")


@pytest.fixture(scope="module")
def base() -> ReferenceProfile:
    return build_profile(table_of(6, seed=1, every=40_000), description=DESCRIPTION, source="base")


def test_of_the_bases_own_time_it_is_the_base(base: ReferenceProfile) -> None:
    """Counts, bins, movement, block variances, hour profiles: equal in every number."""
    result = rolled(base, table_of(6, seed=1, every=40_000))
    assert {column.movement[60].status for column in base.columns[:-1]} == {"measured"}
    assert base.season is Season.HOUR_OF_DAY
    assert base.columns[0].seasonal
    for name in ("layout", "rows", "counts_bytes", "columns", "block_minutes", "block_starts", "season", "hours_bytes"):
        assert getattr(result, name) == getattr(base, name), name


def test_its_accuracy_and_how_that_moves_are_the_bases(base: ReferenceProfile) -> None:
    """Live time has no truths that are read here; the blocks of the base's keep their own times."""
    truths = truth_blocks(np.array([[100, 90]]), starts=(base.block_starts[0],), minutes=5)
    known = msgspec.structs.replace(base, labelled=100, correct=90, truth_blocks=truths, truth_ages=((2, 100, 90),))
    result = rolled(known, table_of(6, seed=2, every=40_000))
    assert (result.labelled, result.correct, result.truth_blocks) == (100, 90, truths)
    assert result.truth_ages == known.truth_ages


def test_other_time_has_its_own_counts_on_the_same_cells(base: ReferenceProfile) -> None:
    """A stream half a sigma off: PSI against the base is large, against its own rolling reference it is not."""
    moved = table_of(6, seed=2, mean=0.5, every=40_000)
    outcome = rolled(base, moved)
    window = table_of(1, seed=3, mean=0.5, every=40_000)
    half = len(window) // 2
    halves = [counted(base, part) for part in (window.slice(0, half), window.slice(half))]
    results = []
    for reference in (base, outcome):
        spec = spec_of_profile(reference, model="m")
        quiet = spec.model_copy(update={"drift": spec.drift.model_copy(update={"seasonality": Seasonality.NONE})})
        scale = next(scale for scale in quiet.scales if scale.length == 1440)
        result = decide_window(
            prepare_reference(quiet, reference),
            scale=scale,
            first_half=halves[0],
            second_half=halves[1],
            events=len(window),
        )
        results.append(result.columns[0].psi)
    assert results[0] is not None
    assert results[1] is not None
    assert results[0] > 0.15  # 0.5 sigma on a stream of variance 1.125: 0.22
    assert results[1] < 0.01
    assert outcome.layout == base.layout


def test_values_outside_the_bases_range_are_in_the_end_bins(base: ReferenceProfile) -> None:
    """They have no cell, but movement and bins see them, as windows do."""
    moved = table_of(3, seed=4, mean=6.0, every=40_000)
    result = rolled(base, moved)
    span = result.layout.spans[0]
    above = result.counts[span.slots + Slot.ABOVE]
    assert above > 0.9 * len(moved)
    assert max(result.columns[0].bins) < 9  # what is left of the lower bins was merged
    assert np.bincount(result.columns[0].bins, weights=result.counts[span.start : span.slots]).sum() + above == (
        len(moved) - result.counts[span.slots + Slot.MISSING] - result.counts[span.slots + Slot.BELOW]
    )


def test_bins_that_became_rare_are_merged(base: ReferenceProfile) -> None:
    """Two of three categories are rare by now and share a bin; every numeric bin holds 1 %, end slots included."""
    table = table_of(3, seed=5, mean=2.0, every=40_000)
    number = np.arange(len(table))
    names = np.select([number % 300 == 0, number % 500 == 1], ["b", "c"], default="a")
    result = rolled(base, table.set_column(2, "c", pa.array(names)))
    assert (base.columns[1].bins, result.columns[1].bins) == ((0, 1, 2), (0, 1, 1))
    bins, span = np.array(result.columns[0].bins), result.layout.spans[0]
    held = np.bincount(bins, weights=result.counts[span.start : span.slots])
    held[0] += result.counts[span.slots + Slot.BELOW]
    held[-1] += result.counts[span.slots + Slot.ABOVE]
    assert len(held) < 10
    assert held.min() >= 0.01 * held.sum()
    assert (np.diff(bins) >= 0).all()


def test_movement_is_measured_once_there_are_five_blocks(base: ReferenceProfile) -> None:
    """Four approved blocks of an hour: estimated from what is shorter; five: measured (statistics §3.2)."""
    table = table_of(1, seed=6, every=10_000)
    for hours, status in ((4, "estimated"), (5, "measured")):
        part = table.slice(0, hours * 360)
        assert rolled(base, part).columns[0].movement[60].status == status
    nothing = rolled(base, table.slice(0, 4 * 30))  # twenty minutes
    assert nothing.columns[0].movement[20].status == "uncalibrated"


def test_a_base_without_time_is_calibrated_by_live_time() -> None:
    """The reference had no time stamps; its rolling one knows how columns move."""
    table = table_of(2, seed=7)
    description = ReferenceDescription(features=DESCRIPTION.features, value="y", lengths=LENGTHS)
    base = build_profile(table.drop_columns(["at"]), description=description, source="no time")
    assert {movement.status for movement in base.columns[0].movement.values()} == {"uncalibrated"}
    assert rolled(base, table).columns[0].movement[20].status == "measured"


def test_accuracy_and_importance_stay(base: ReferenceProfile) -> None:
    """Drops of accuracy are measured from the frozen reference, or a slow decline would be followed."""
    known = msgspec.structs.replace(base, correct=80, labelled=100, importance={"x": 0.5})
    result = rolled(known, table_of(2, seed=8, every=40_000))
    assert (result.correct, result.labelled, result.importance) == (80, 100, {"x": 0.5})


def test_coarse_counts_are_sums_over_bins(base: ReferenceProfile) -> None:
    """Bin by bin and slot by slot, by a plain loop."""
    random = np.random.default_rng(9)
    counts = random.integers(0, 50, size=base.layout.size)
    order = CoarseOrder(base)
    expected = []
    for reference, span in zip(base.columns, base.layout.spans, strict=True):
        bins = [0] * (max(reference.bins) + 1)
        for place, number in enumerate(reference.bins):
            bins[number] += int(counts[span.start + place])
        expected += [*bins, *counts[span.slots : span.stop].tolist()]
    assert order.coarse(counts).tolist() == expected
    assert order.size == len(expected)
