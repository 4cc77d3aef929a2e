"""The e-detector's guarantee by mathematics and simulation, and how early it notices."""

import numpy as np
import pytest
from scipy.special import logsumexp, ndtr, ndtri

from monitor.errors import BinMismatchError
from monitor.stats.e_detector import EDetector, ToleranceBand, e_detector, log_statistics_of_panes, tolerance_band

ONE = np.array([0])
EDGES = np.concatenate([[-np.inf], ndtri(np.arange(1, 10) / 10), [np.inf]])
BAND = tolerance_band(np.full(10, 2000), starts=ONE)
DETECTOR = e_detector(BAND, starts=ONE)


def deciles(shift: float) -> np.ndarray:
    """Return the shares of a unit normal's deciles after a shift."""
    return np.diff(ndtr(EDGES - shift))


def alarms(panes: np.ndarray, run_length: float) -> np.ndarray:
    """Return for each run the first pane (from 1) at which M reaches *run_length*, one more than panes if none."""
    reached = log_statistics_of_panes(DETECTOR, panes)[..., 0] >= np.log(run_length)
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, panes.shape[-2] + 1)


def stepped(detector: EDetector, panes: np.ndarray) -> np.ndarray:
    """Return log M after each pane by the recursion R ← (1 + R) · E, one step at a time."""
    statistic, log_statistics = np.full(detector.inside.shape, -np.inf), []
    ends = np.append(detector.starts[1:], detector.inside.shape[-1])
    for counts in panes:
        events = np.repeat(np.add.reduceat(counts, detector.starts), ends - detector.starts)
        grown = np.logaddexp(0.0, statistic) + counts * detector.inside + events * detector.outside
        statistic = np.where(events > 0, grown, statistic)
        columns = zip(detector.starts, ends, strict=True)
        log_statistics.append([logsumexp((statistic + detector.log_weights)[:, start:end]) for start, end in columns])
    return np.where(detector.watched, np.array(log_statistics), np.nan)


def test_no_share_inside_the_band_makes_evidence() -> None:
    """One event multiplies the evidence of each alternative by 1 on average at the band's edge, by less inside."""
    alternatives = len(DETECTOR.inside)
    for share in np.linspace(BAND.low[0], BAND.high[0], 21):
        inside, outside = np.exp(DETECTOR.inside + DETECTOR.outside), np.exp(DETECTOR.outside)
        expected = share * inside + (1.0 - share) * outside
        assert (expected <= 1.0 + 1e-12).all()
    at_high = BAND.high * np.exp(DETECTOR.inside + DETECTOR.outside) + (1.0 - BAND.high) * np.exp(DETECTOR.outside)
    at_low = BAND.low * np.exp(DETECTOR.inside + DETECTOR.outside) + (1.0 - BAND.low) * np.exp(DETECTOR.outside)
    np.testing.assert_allclose(at_high[: alternatives // 2], 1.0, rtol=1e-12)
    np.testing.assert_allclose(at_low[alternatives // 2 :], 1.0, rtol=1e-12)
    assert logsumexp(DETECTOR.log_weights) == pytest.approx(0.0, abs=1e-12)


def test_at_the_edge_of_the_band_an_alarm_is_as_rare_as_promised() -> None:
    """With every decile at its edge, the mean run length for C = 100 panes of 100 events is over 100 panes.

    The band's edges cannot all be reached upwards: five deciles are at the upper edge, five as far below.
    """
    width = min((BAND.high - 0.1).min(), (0.1 - BAND.low).min())
    at_the_edge = 0.1 + width * np.array([1, -1] * 5)
    generator = np.random.default_rng(70)
    # The mean of runs that are cut off after 600 panes is a lower bound of the mean: 338 was seen, its spread is 15.
    result = alarms(generator.multinomial(100, at_the_edge, (200, 600)), run_length=100.0)
    assert result.mean() > 100.0
    # P(alarm within t) ≤ t / C for every t: E[M at the earlier of alarm and t] is at most t.
    within_50 = alarms(generator.multinomial(100, at_the_edge, (400, 50)), run_length=1000.0) <= 50
    assert within_50.mean() <= 50 / 1000


def test_a_quiet_column_is_quiet() -> None:
    """Without a change 100,000 panes of 100 or of 5 events raise no alarm at C = 10,000."""
    generator = np.random.default_rng(71)
    for events, shape in ((100, (50, 1000)), (5, (50, 1000))):
        result = alarms(generator.multinomial(events, np.full(10, 0.1), shape), run_length=1e4)
        assert (result > shape[1]).all()


@pytest.mark.parametrize(("shift", "within"), [(0.5, 8), (0.7, 4), (1.0, 2)])
def test_a_shift_is_noticed_within_a_few_panes(shift: float, within: int) -> None:
    """After 30 quiet panes of 100 events, C = a million: 0.5σ in a median of 8 panes, 0.7σ in 4, 1σ in 2; all found.

    .. code-block:: text

        pane  0                             30        38
              |------- no change -----------|- 0.5σ --|--->
                                                      alarm
    """
    generator = np.random.default_rng(72)
    quiet = generator.multinomial(100, np.full(10, 0.1), (200, 30))
    moved = generator.multinomial(100, deciles(shift), (200, 60))
    result = alarms(np.concatenate([quiet, moved], axis=1), run_length=1e6) - 30
    assert result.min() > 0
    assert np.median(result) <= within
    assert result.max() <= 60


def test_a_change_in_one_bin_and_of_the_spread_is_noticed_too() -> None:
    """A new heavy bin (10 % to 25 %) in 5 panes, a spread of 1.5 in 12: nothing about it is a shift of the mean."""
    generator = np.random.default_rng(73)
    one_bin = np.append(0.25, np.full(9, 0.75 / 9))
    spread = np.diff(ndtr(EDGES / 1.5))
    for shares, within in ((one_bin, 5), (spread, 12)):
        result = alarms(generator.multinomial(100, shares, (200, 60)), run_length=1e6)
        assert np.median(result) <= within


def test_steps_and_the_whole_span_say_the_same() -> None:
    """Pane by pane, and over all panes at once, M is the same: a window needs no earlier evaluation."""
    generator = np.random.default_rng(74)
    panes = generator.multinomial(100, deciles(0.2), 40)
    np.testing.assert_allclose(log_statistics_of_panes(DETECTOR, panes), stepped(DETECTOR, panes), rtol=1e-9)


def test_the_formula_by_hand() -> None:
    """Two bins, two panes: R₂ = (1 + R₁) E₂ with R₁ = E₁, summed with equal weights."""
    band = ToleranceBand(low=np.array([0.4, 0.4]), high=np.array([0.6, 0.6]))
    detector, panes = e_detector(band, starts=ONE), np.array([[9, 1], [7, 3]])
    expected = 0.0
    for share, odds in ((0.6, 1.25), (0.6, 1.6), (0.6, 2.5), (0.4, 0.8), (0.4, 0.625), (0.4, 0.4)):
        raised = share * odds / (1 - share + share * odds)
        for place in (0, 1):
            first, second = (
                (raised / share) ** pane[place] * ((1 - raised) / (1 - share)) ** pane[1 - place] for pane in panes
            )
            expected += (1.0 + first) * second / 12
    assert np.exp(log_statistics_of_panes(detector, panes)[-1, 0]) == pytest.approx(expected, rel=1e-12)


def test_beginning_later_or_in_longer_panes_only_makes_it_smaller() -> None:
    """A window's own panes, or rows of ten minutes, never alarm where all panes since the start do not."""
    generator = np.random.default_rng(75)
    panes = generator.multinomial(50, deciles(0.25), (20, 60))
    whole = log_statistics_of_panes(DETECTOR, panes)[..., 0]
    later = log_statistics_of_panes(DETECTOR, panes[:, 30:])[..., 0]
    assert (later <= whole[:, 30:] + 1e-9).all()
    longer = log_statistics_of_panes(DETECTOR, panes.reshape(20, 6, 10, 10).sum(axis=2))[..., 0]
    assert (longer <= whole[:, 9::10] + 1e-9).all()


def test_a_pane_without_events_changes_nothing() -> None:
    """A column of which a pane holds nothing remembers what it had, however many such panes there are."""
    generator = np.random.default_rng(76)
    starts = np.array([0, 10])
    detector = e_detector(tolerance_band(np.full(20, 2000), starts=starts), starts=starts)
    full = generator.multinomial(100, deciles(0.5), 6)
    gaps = np.concatenate([np.zeros((1, 10), dtype=np.int64), full[:3], np.zeros((50, 10), dtype=np.int64), full[3:]])
    other = generator.multinomial(100, np.full(10, 0.1), 57)
    log_statistics = log_statistics_of_panes(detector, np.concatenate([gaps, other], axis=1))
    alone = log_statistics_of_panes(DETECTOR, full)[:, 0]
    np.testing.assert_allclose(log_statistics[[1, 2, 3, 54, 55, 56], 0], alone, rtol=1e-9)
    np.testing.assert_allclose(log_statistics[4:54, 0], alone[2], rtol=1e-9)
    assert log_statistics[0, 0] == -np.inf
    np.testing.assert_allclose(log_statistics, stepped(detector, np.concatenate([gaps, other], axis=1)), rtol=1e-9)


def test_any_traffic_stays_a_number() -> None:
    """A pane of ten million events that has moved altogether is evidence past counting, not an overflow."""
    panes = np.zeros((3, 10), dtype=np.int64)
    panes[:, 0] = 10_000_000
    result = log_statistics_of_panes(DETECTOR, panes)[:, 0]
    assert np.isfinite(result).all()
    assert result[0] > 1e6
    assert (np.diff(result) > 1e6).all()


def test_the_band_is_the_references_uncertainty_and_the_tolerance() -> None:
    """A decile of 20,000 may lie in 0.1 ± (0.025 + 0.007); a bin of 1 % from 0 on; without reference anywhere."""
    band = tolerance_band(np.array([2000, 17_800, 200, 0, 0]), starts=np.array([0, 3]))
    np.testing.assert_allclose(band.low[:3], [0.1 - 0.025 - 0.0067, 0.89 - 0.2225 - 0.0074, 0.0], atol=2e-4)
    np.testing.assert_allclose(band.high[:3], [0.1 + 0.025 + 0.0072, 1.0, 0.01 + 0.01 + 0.0026], atol=2e-4)
    assert (band.low[3:].tolist(), band.high[3:].tolist()) == ([0.0, 0.0], [1.0, 1.0])


def test_a_column_without_reference_or_with_one_bin_never_alarms() -> None:
    """Without a reference the statistic is not measured (NaN); a single bin cannot move."""
    starts = np.array([0, 2, 3])
    detector = e_detector(tolerance_band(np.array([0, 0, 500, 50, 50]), starts=starts), starts=starts)
    log_statistics = log_statistics_of_panes(detector, np.array([[5, 5, 10, 5, 5]] * 4))
    assert np.isnan(log_statistics[:, 0]).all()
    assert (log_statistics[:, 1:] < np.log(4)).all()


def test_counts_of_other_bins_are_refused() -> None:
    """A pane on other bins has no evidence."""
    with pytest.raises(BinMismatchError, match="10 bins"):
        log_statistics_of_panes(DETECTOR, np.ones((1, 9), dtype=np.int64))
    with pytest.raises(BinMismatchError):
        log_statistics_of_panes(DETECTOR, np.ones(10, dtype=np.int64))
    with pytest.raises(BinMismatchError):
        e_detector(BAND, starts=np.array([0, 10]))
