"""No data, too little data, calm and the textbook rule: what a window's verdict is made of."""

from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.detection import PreparedReference, prepare_reference
from monitor.errors import BinMismatchError
from monitor.reference.cell_choice import latency_cells
from monitor.reference.layout import CellsLayout, ColumnRole
from monitor.reference.movement import column_movements
from monitor.result_codec import decode_result, encode_result
from monitor.results import WindowResult
from monitor.types import Scale, Tier, Verdict
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, prepared_of, profile_of, spec_of

REFERENCE = {"a": np.random.default_rng(90).normal(size=20_000), "b": np.random.default_rng(91).normal(size=20_000)}


@pytest.fixture(scope="module")
def prepared() -> PreparedReference:
    return prepared_of(REFERENCE)


def window(prepared: PreparedReference, *, events: int, seed: int = 1, a: float = 0.0, b: float = 0.0) -> WindowResult:
    generator = np.random.default_rng(seed)
    first, second = (
        count(prepared.layout, {"a": generator.normal(a, size=size), "b": generator.normal(b, size=size)})
        for size in (events // 2, events - events // 2)
    )
    return decide_window(prepared, scale=HOUR, first_half=first, second_half=second, events=events)


def test_a_window_without_events_is_inconclusive(prepared: PreparedReference) -> None:
    """No events are no evidence of health."""
    result = window(prepared, events=0)
    assert (result.verdict, result.reason, result.columns) == (Verdict.INCONCLUSIVE, "no_events", ())
    assert (result.calm_below, result.quality_calm) == (None, None)
    assert result.sentence == "no events in this 1 h window."


def test_too_few_events_are_inconclusive_even_when_everything_moved(prepared: PreparedReference) -> None:
    """199 events, ten sigma away: shown with their number, never judged; one event more is judged."""
    result = window(prepared, events=199, a=10.0)
    assert (result.verdict, result.reason, result.findings) == (Verdict.INCONCLUSIVE, "too_few_events", ())
    assert result.sentence == "too few events: 199 in this 1 h window, at least 200 needed."
    assert [(column.n, column.psi) for column in result.columns] == [(199, None), (199, None)]
    assert window(prepared, events=200, a=10.0).verdict is Verdict.WARNING


def test_a_reference_without_values_is_inconclusive() -> None:
    """Nothing to compare with is its own reason; the latency, which no reference has, is only shown."""
    latency = latency_cells(name="latency_ms")
    assert latency.role is ColumnRole.LATENCY
    layout = CellsLayout(columns=(*layout_of(REFERENCE).columns, latency))
    empty = prepare_reference(
        spec_of(layout), profile_of(layout_of(REFERENCE), np.ones(layout_of(REFERENCE).size, dtype=np.int64))
    )
    assert empty.monitored.tolist() == [True, True]
    profile = profile_of(layout_of(REFERENCE), count(layout_of(REFERENCE), REFERENCE))
    none = msgspec.structs.replace(profile, layout=layout, rows=0, counts_bytes=bytes(8 * layout.size))
    prepared = prepare_reference(spec_of(layout), none)
    assert prepared.monitored.tolist() == [True, True, False]
    generator = np.random.default_rng(92)
    counts = count(
        layout, {"a": generator.normal(size=300), "b": generator.normal(size=300), "latency_ms": np.full(300, 12.0)}
    )
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=600)
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, "no_reference")
    assert {column.inconclusive for column in result.columns} == {"no_reference"}
    assert result.columns[2].n == 600


def test_nothing_moved_says_so_with_the_largest_index(prepared: PreparedReference) -> None:
    """A healthy window names the column that moved most, with the stored PSI, and is calm at every tier."""
    result = window(prepared, events=6012)
    largest = max(result.columns, key=lambda column: column.psi or 0.0)
    assert largest.psi is not None
    text = f"{largest.psi:.2f}" if largest.psi >= 0.01 else f"{largest.psi:.3f}"
    assert result.sentence == f"nothing moved: largest PSI {text} (`{largest.name}`), 6,012 events."
    assert (result.verdict, result.calm_below, result.quality_calm) == (Verdict.OK, (True, True, True), True)


@pytest.mark.parametrize(
    ("shift", "calm"),
    [(0.2, (True, True, True)), (0.31, (False, True, True)), (0.42, (False, False, True)), (0.6, (False,) * 3)],
)
def test_calm_is_a_share_of_each_tier(prepared: PreparedReference, shift: float, calm: tuple[bool, ...]) -> None:
    """PSI of about 0.04, 0.09, 0.17 and 0.35 against 0.7 of 0.1, 0.2 and 0.3."""
    assert window(prepared, events=20_000, a=shift).calm_below == calm


def test_the_textbook_rule_decides_by_plain_thresholds(prepared: PreparedReference) -> None:
    """Under no change at 250 events the textbook cries wolf where the default rule says nothing."""
    textbook = prepared_of(REFERENCE, drift={"rule": "textbook"})
    plain = [window(textbook, events=250, seed=seed) for seed in range(60)]
    default = [window(prepared, events=250, seed=seed) for seed in range(60)]
    # A KS p-value under 0.05 in one of two columns: one window in ten.
    assert sum(result.verdict is not Verdict.OK for result in plain) >= 3
    assert all(result.verdict is Verdict.OK for result in default)
    strong = window(textbook, events=6000, a=0.7)
    assert (strong.verdict, strong.findings[0].tier, strong.findings[0].endured) == (
        Verdict.CRITICAL,
        Tier.CRITICAL,
        True,
    )
    assert "(textbook rule)" in strong.sentence
    # The numbers are the same: the rules differ in what they make of them.
    same = window(prepared, events=6000, a=0.7)
    assert [(column.psi, column.ks) for column in strong.columns] == [
        (column.psi, column.ks) for column in same.columns
    ]


def test_scales_and_segments_share_the_false_alarms() -> None:
    """Alpha is divided by tests, scales and series: two scales and (1 + 2 values + other) are eight times less."""
    scales = {"scales": [{"length": "1h", "step": "5m"}, {"length": "2h", "step": "10m"}]}
    shared = prepared_of(REFERENCE, windows=scales, segments=({"tag": "country", "values": ("de", "fr")},))
    assert shared.alpha == pytest.approx(prepared_of(REFERENCE).alpha / 8)


def test_natural_movement_falls_back_from_the_half_to_the_whole() -> None:
    """Where half the length was never measured, the halves are judged with the window's own kappa."""
    generator = np.random.default_rng(93)
    blocks = generator.multinomial(500, generator.dirichlet(np.full(10, 50.0), 40))
    starts = tuple(range(0, 40 * 3_600_000, 3_600_000))
    layout = layout_of(REFERENCE)
    measured = column_movements(starts=starts, block_minutes=60, bin_counts=blocks, lengths=(30, 60))
    assert measured[30].status == "uncalibrated"
    movement = prepare_reference(spec_of(layout), profile_of(layout, count(layout, REFERENCE), a=measured)).movements[
        60
    ]
    assert movement.kappa[0] == measured[60].kappa > 0.0
    assert movement.kappa_half[0] == movement.kappa[0]
    assert movement.calibrations == ("measured", "uncalibrated")
    assert (movement.level_kappa[1], movement.level_nu[1], movement.level_blocks[1]) == (0.0, 9.0, np.inf)


def test_counts_of_another_layout_and_unknown_scales_are_refused(prepared: PreparedReference) -> None:
    """Counts that do not fit are an error of the caller, never a number."""
    counts = np.zeros(prepared.layout.size + 1, dtype=np.int64)
    with pytest.raises(BinMismatchError):
        decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=500)
    with pytest.raises(KeyError):
        decide_window(prepared, scale=Scale(20, 1), first_half=counts[1:], second_half=counts[1:], events=500)


def test_narrow_counts_do_not_wrap_round(prepared: PreparedReference) -> None:
    """Halves in one byte a count give the bytes of the decision on eight bytes a count; and it reads back."""
    wide = np.zeros(prepared.layout.size, dtype=np.int64)
    wide[prepared.layout.spans[0].start : prepared.layout.spans[0].start + 5] = 200
    wide[prepared.layout.spans[1].start : prepared.layout.spans[1].start + 5] = 200
    narrow = wide.astype(np.uint8)
    halves: tuple[Any, ...] = (wide, narrow)
    results = [
        decide_window(prepared, scale=HOUR, first_half=value, second_half=value, events=2000) for value in halves
    ]
    assert encode_result(results[0]) == encode_result(results[1])
    assert encode_result(decode_result(encode_result(results[0]))) == encode_result(results[0])
    assert results[1].columns[0].n == 2000
