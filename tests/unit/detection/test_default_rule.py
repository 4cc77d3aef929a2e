"""The default rule: what is proven, what endures, and what a quiet stream never does."""

from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.detection import PreparedReference, conclude_window, examine_window, prepare_reference
from monitor.detection.drift_rule import PreviousWindow, psi_lower_bounds
from monitor.detection.measurements import measure_window
from monitor.reference.movement import column_movements
from monitor.results import WindowResult
from monitor.stats.psi_bounds import proven_lower_bound
from monitor.stats.psi_variance import proven_stability_index
from monitor.types import IncidentKind, Tier, Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, prepared_of, profile_of, spec_of

GENERATOR_SEED = 70


@pytest.fixture(scope="module")
def prepared() -> PreparedReference:
    generator = np.random.default_rng(GENERATOR_SEED)
    return prepared_of({name: generator.normal(size=20_000) for name in ("age", "income", "prediction.score")})


def half(prepared: PreparedReference, seed: int, *, events: int = 3000, **shifts: float) -> np.ndarray:
    """Return counts of standard normals, some columns shifted by so many standard deviations."""
    generator = np.random.default_rng(seed)
    names = [column.name for column in prepared.layout.columns]
    return count(prepared.layout, {name: generator.normal(shifts.get(name, 0.0), size=events) for name in names})


def decide(prepared: PreparedReference, first: np.ndarray, second: np.ndarray, **previous: Any) -> WindowResult:
    return decide_window(prepared, scale=HOUR, first_half=first, second_half=second, events=6000, **previous)


def test_a_shift_of_seven_tenths_is_a_warning_with_its_column_first(prepared: PreparedReference) -> None:
    """0.7 sigma (PSI 0.49) in both halves is proven and endures; the verdict is the finding's tier."""
    result = decide(prepared, half(prepared, 1, age=0.7), half(prepared, 2, age=0.7))
    assert result.verdict is Verdict.WARNING
    assert [(finding.column, finding.statistic, finding.endured) for finding in result.findings] == [
        ("age", "psi", True)
    ]
    column = result.columns[0]
    assert column.psi is not None
    # PSI of normals delta apart is delta squared; deciles lose under a tenth of it, and six standard deviations of
    # the estimate at 6,000 events are 0.08.
    assert column.psi == pytest.approx(0.49, abs=0.1)
    assert column.psi_low == pytest.approx(result.findings[0].bound, rel=1e-9)
    assert result.calm_below == (False, False, False)
    assert result.quality_calm is True


def test_the_bound_is_that_of_the_statistic_at_the_shared_alpha(prepared: PreparedReference) -> None:
    """psi_low is the proven lower bound of the stored PSI and n, at alpha over tests, scales and segments."""
    result = decide(prepared, half(prepared, 1, age=0.7), half(prepared, 2, age=0.7))
    # Three numeric columns: PSI, D, missing, invalid and far of each.
    assert prepared.alpha == pytest.approx(0.001 / 15)
    column = result.columns[0]
    assert column.psi is not None
    current = prepared.sample(half(prepared, 1, age=0.7) + half(prepared, 2, age=0.7)).bins[:10]
    expected = proven_stability_index(prepared.reference.bins[:10], current, alpha=0.001 / 15)
    assert column.psi_low == pytest.approx(expected, rel=1e-12)


def test_a_bin_that_empties_is_proven_by_its_few_events() -> None:
    """A value of 5 % falls to 0.5 %: the index alone would prove the warning tier in this window and the one before."""
    values = np.repeat([0.0, 1.0], [1000, 19_000])
    prepared = prepared_of({"x": values})
    window = count(prepared.layout, {"x": np.repeat([0.0, 1.0], [7, 1493])})
    measured = measure_window(prepared, scale=HOUR, first_half=window, second_half=window, events=3000)
    alone = proven_lower_bound(float(measured.psi[0]), bins=2, n=3000, m=20_000, alpha=prepared.alpha)
    assert alone > 0.05
    before = PreviousWindow(prepared=prepared, measured=measured, sample=measured.whole)
    for lows in (psi_lower_bounds(prepared, measured), before.psi_low):
        assert 0.0 < lows[0] < alone


def test_a_shift_of_one_half_alone_is_shown_and_not_endured(prepared: PreparedReference) -> None:
    """The whole window proves a shift that only its second half has: nothing follows.

    first half      second half
    |  nothing   |  +1.2 sigma  |
    """
    result = decide(prepared, half(prepared, 3), half(prepared, 4, age=1.2))
    assert result.verdict is Verdict.OK
    assert [finding.endured for finding in result.findings] == [False]
    assert result.findings[0].tier >= Tier.WARNING
    assert "not in both halves" in result.findings[0].sentence
    assert result.sentence.startswith("nothing endured: `age`")
    assert result.of_kind(IncidentKind.DRIFT) == ()


def test_alert_needs_the_window_before(prepared: PreparedReference) -> None:
    """One sigma everywhere is critical when the previous disjoint window shows it, else a warning.

    previous window              window
    |  0  or 0.55 or 1 sigma  |  1 sigma  |  1 sigma  |
    """
    first, second = half(prepared, 5, age=1.0), half(prepared, 6, age=1.0)
    quiet, some, same = (half(prepared, 7, events=6000, age=shift) for shift in (0.0, 0.55, 1.0))
    alone = decide(prepared, first, second)
    assert (alone.verdict, alone.findings[0].threshold) == (Verdict.WARNING, 0.1)
    assert decide(prepared, first, second, previous=quiet, previous_events=6000).verdict is Verdict.WARNING
    after_same = decide(prepared, first, second, previous=same, previous_events=6000)
    assert (after_same.verdict, after_same.findings[0].threshold) == (Verdict.CRITICAL, 0.3)
    # 0.55 sigma is a PSI of 0.3: proven above 0.2, not above 0.3, so the highest tier that endured is alert.
    assert decide(prepared, first, second, previous=some, previous_events=6000).verdict is Verdict.ALERT


def test_a_thin_previous_window_endures_nothing(prepared: PreparedReference) -> None:
    """Under min_events the previous window is inconclusive, and inconclusive is not agreement."""
    first, second = half(prepared, 5, age=1.0), half(prepared, 6, age=1.0)
    thin = half(prepared, 7, events=199, age=1.0)
    assert decide(prepared, first, second, previous=thin, previous_events=199).verdict is Verdict.WARNING


def test_the_previous_window_is_asked_for_only_where_it_can_matter(prepared: PreparedReference) -> None:
    """A quiet window, a warning and a shift of one half need no second read; a proven alert does."""

    def needed(first: np.ndarray, second: np.ndarray) -> bool:
        examined = examine_window(prepared, scale=HOUR, first_half=first, second_half=second, events=6000)
        if not examined.needs_previous:
            loaded = half(prepared, 9, events=6000, age=3.0)
            with_it = conclude_window(prepared, examined, previous=loaded, previous_events=6000)
            assert with_it == conclude_window(prepared, examined)
        return examined.needs_previous

    assert not needed(half(prepared, 10), half(prepared, 11))
    assert not needed(half(prepared, 10, age=0.42), half(prepared, 11, age=0.42))
    assert not needed(half(prepared, 10), half(prepared, 11, age=1.2))
    assert needed(half(prepared, 10, age=1.0), half(prepared, 11, age=1.0))


def test_a_distance_alone_is_a_warning_and_never_more() -> None:
    """Values squeezed inside one bin move no share of any bin, so PSI is 0; D sees them and warns, no more.

    98 % of the reference are spread over [0, 1), one bin here; the window has them in [0, 0.7): D = 0.98 * 0.3.
    """
    generator = np.random.default_rng(71)
    reference = {
        "x": np.concatenate([np.linspace(0.0, 1.0, 9800), np.full(200, 5.0)]),
        "y": generator.normal(size=10_000),
    }
    layout = layout_of(reference)
    profile = profile_of(layout, count(layout, reference))
    coarse = tuple(0 if edge < 4.0 else 1 for edge in layout.columns[0].edges)
    column = msgspec.structs.replace(profile.columns[0], bins=coarse)
    profile = msgspec.structs.replace(profile, columns=(column, profile.columns[1]))
    prepared = prepare_reference(spec_of(layout), profile)

    def squeezed(seed: int, events: int) -> np.ndarray:
        local = np.random.default_rng(seed)
        low = np.where(local.random(events) < 0.02, 5.0, 0.7 * local.random(events))
        return count(layout, {"x": low, "y": local.normal(size=events)})

    result = decide(prepared, squeezed(1, 3000), squeezed(2, 3000), previous=squeezed(3, 6000), previous_events=6000)
    assert [(finding.column, finding.statistic, finding.tier) for finding in result.findings] == [
        ("x", "ks", Tier.WARNING)
    ]
    assert result.findings[0].value == pytest.approx(0.29, abs=0.02)
    assert result.calm_below == (False, True, True)
    assert "KS distance" in result.sentence


def test_a_stationary_stream_has_no_endured_finding_in_two_thousand_windows() -> None:
    """Multinomial counts of four columns: 8,000 chances of drift and 20,000 of a share, and none is taken."""
    generator = np.random.default_rng(72)
    names = ("a", "b", "c", "d")
    prepared = prepared_of({name: generator.integers(0, 40, 10_000).astype(float) for name in names})
    halves = stationary_halves(prepared, generator, events=250, windows=2000)
    results = decide_in_a_row(prepared, halves, events=500)
    assert [result.sentence for result in results if result.verdict is not Verdict.OK] == []
    assert sum(len(result.findings) for result in results) <= 2


def test_a_stream_that_wanders_as_its_reference_did_stays_quiet() -> None:
    """Shares that wander with a planted variance: calibrated from blocks the rule holds, uncalibrated it does not."""
    generator = np.random.default_rng(73)
    # Ten values whose shares are drawn for each half hour from a Dirichlet: kappa is 1 / 31 there
    # and half that for an hour, whose PSI then is about 9 / 62 = 0.15.
    shares = generator.dirichlet(np.full(10, 3.0), 2 * 400)
    panes = np.stack([generator.multinomial(1000, share) for share in shares])
    reference, live = panes[:400], panes[400:]
    values = {"x": np.repeat(np.arange(10.0), reference.sum(axis=0))}
    layout = layout_of(values)
    cells = np.searchsorted(layout.columns[0].edges, np.arange(10.0), side="right") - 1
    starts = tuple(range(0, 400 * 30 * MINUTE_MILLIS, 30 * MINUTE_MILLIS))
    movement = column_movements(starts=starts, block_minutes=30, bin_counts=reference, lengths=(30, 60))
    counts = count(layout, values)
    windows = np.zeros((400, layout.size), dtype=np.int64)
    windows[:, cells] = live
    alarms = {}
    for name, known in (("calibrated", {"x": movement}), ("uncalibrated", {})):
        prepared = prepare_reference(spec_of(layout), profile_of(layout, counts, **known))
        results = decide_in_a_row(prepared, windows, events=2000)
        alarms[name] = sum(result.verdict is not Verdict.OK for result in results)
        phi = results[0].columns[0].phi
        assert phi is not None
        assert (phi > 5.0) is (name == "calibrated")
    assert alarms["calibrated"] == 0
    assert alarms["uncalibrated"] > 20


def test_bounds_are_asked_for_only_past_the_warning_tier(prepared: PreparedReference) -> None:
    """psi_low is not measured where PSI passed no tier."""
    measured = measure_window(
        prepared,
        scale=HOUR,
        first_half=half(prepared, 20, age=0.7),
        second_half=half(prepared, 21, age=0.7),
        events=6000,
    )
    assert np.isnan(psi_lower_bounds(prepared, measured)).tolist() == [False, True, True]


def stationary_halves(
    prepared: PreparedReference, generator: np.random.Generator, *, events: int, windows: int
) -> np.ndarray:
    """Return counts of shape ``(2 * windows, layout.size)`` drawn from the reference's own shares."""
    drawn = np.zeros((2 * windows, prepared.layout.size), dtype=np.int64)
    for at, span in enumerate(prepared.layout.spans):
        start = int(prepared.order.columns[at]) + 1
        cells = prepared.reference.cells[start : start + span.slots - span.start]
        drawn[:, span.start : span.slots] = generator.multinomial(events, cells / cells.sum(), 2 * windows)
    return drawn


def decide_in_a_row(prepared: PreparedReference, halves: np.ndarray, *, events: int) -> list[WindowResult]:
    """Decide disjoint windows of two halves each, every one with the window before it."""
    results, previous = [], None
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        results.append(
            decide_window(
                prepared,
                scale=HOUR,
                first_half=first,
                second_half=second,
                events=events,
                previous=previous,
                previous_events=events,
            )
        )
        previous = first + second
    return results
