"""When a shift is detected, while the window still holds events from before it."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.planning.advice_context import psi_of_shift
from monitor.planning.column_comparison import comparisons_at
from monitor.planning.power import detection_at_scale, first_detection
from monitor.types import Scale, Tier
from tests.unit.detection.streams import HOUR
from tests.unit.planning.windows import EVEN, Column, drift_tier, mean_shift, psi_of

RUNS = 600


@pytest.mark.parametrize("sigmas", [0.3, 0.5, 0.7, 1.0])
def test_a_shift_of_the_mean_has_the_psi_of_its_square(sigmas: float) -> None:
    """Ten bins keep over nine tenths of delta squared, the divergence of two normals delta apart."""
    assert psi_of_shift(sigmas) == pytest.approx(psi_of(mean_shift(sigmas)), rel=1e-9)
    assert 0.9 * sigmas**2 < psi_of_shift(sigmas) < sigmas**2


def test_a_window_that_is_half_shifted_has_about_a_quarter_of_the_psi() -> None:
    """PSI grows with the square of the share that is shifted, and is 0 at none."""
    # Exactly quadratic only for small shifts: at 0.3 sigma the third order is under 5 %.
    assert psi_of_shift(0.3, share=0.5) == pytest.approx(psi_of_shift(0.3) / 4, rel=0.05)
    assert psi_of_shift(0.3, share=0.0) == 0.0


def counts(generator: np.random.Generator, n: int, *, shifted: float, sigmas: float) -> np.ndarray:
    """Return *n* events of which the last share *shifted* comes after the shift."""
    after = round(n * shifted)
    return generator.multinomial(n - after, EVEN) + generator.multinomial(after, mean_shift(sigmas))


@pytest.mark.parametrize(("level", "tier", "sigmas"), [(Tier.WARNING, 0.1, 0.7), (Tier.ALERT, 0.2, 1.0)])
def test_the_window_that_is_said_to_detect_does(level: Tier, tier: float, sigmas: float) -> None:
    """The first window after the planned time reaches the tier in at least 90 % of streams.

    ::

        |------ previous ------|------- window -------|      alert: shift in the previous window
                          warning: shift ^            end
    """
    column, events_per_minute = Column(), 50.0
    (comparison,) = comparisons_at(column.prepared(), HOUR)
    result = detection_at_scale(comparison, sigmas=sigmas, level=level, tier=tier, events_per_minute=events_per_minute)
    assert result is not None
    n = round(60 * events_per_minute)
    shifted = (result.minutes - HOUR.step) / HOUR.length
    in_window, in_previous = min(shifted, 1.0), max(shifted - 1.0, 0.0)
    generator = np.random.default_rng(43)
    reached = 0
    for prepared in column.drawn(RUNS, generator=generator):
        first = counts(generator, n // 2, shifted=min(max(2 * in_window - 1, 0.0), 1.0), sigmas=sigmas)
        second = counts(generator, n // 2, shifted=min(2 * in_window, 1.0), sigmas=sigmas)
        previous = counts(generator, n, shifted=in_previous, sigmas=sigmas)
        reached += drift_tier(prepared, first=first, second=second, previous=previous) >= level
    # The plan multiplies chances that go along, and the share is found to 1/256: it may be later, never too early.
    assert 0.87 < reached / RUNS < 0.97


def test_the_quickest_scale_is_named_and_an_alert_takes_two_windows() -> None:
    """With traffic for all, the shortest scale is first; alert is later than a whole window."""
    column = Column()
    prepared = column.prepared()
    (hour,) = comparisons_at(prepared, HOUR)
    minutes_ten = replace(hour, scale=Scale(10, 1))
    warning = first_detection([hour, minutes_ten], sigmas=1.0, level=Tier.WARNING, tier=0.1, events_per_minute=500)
    alert = first_detection([hour, minutes_ten], sigmas=1.0, level=Tier.ALERT, tier=0.2, events_per_minute=500)
    assert warning is not None
    assert alert is not None
    assert warning.scale == alert.scale == Scale(10, 1)
    assert warning.minutes < 11 < alert.minutes < 21


def test_a_shift_below_the_tier_is_never_detected() -> None:
    """0.3 sigma is a PSI of 0.086: no alarm at 0.1, by definition."""
    (hour,) = comparisons_at(Column().prepared(), HOUR)
    assert first_detection([hour], sigmas=0.3, level=Tier.WARNING, tier=0.1, events_per_minute=1e6) is None
