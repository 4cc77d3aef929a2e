"""What docs/statistics.md says of closing holds: soon after the end of a change, and not while it lasts."""

import pytest

from benchmarks.closing_figures import let_go_while_it_lasts, windows_until_closed


@pytest.mark.parametrize("overdispersion", [1.0, 3.0, 30.0])
@pytest.mark.parametrize("events", [200, 300, 400, 6000])
def test_an_incident_is_closed_within_three_windows(events: int, overdispersion: float) -> None:
    """In the median, of one column or of two hundred that changed.

    By the largest raw PSI of all columns it took over 60 windows with 20 columns of 200 events.
    """
    assert windows_until_closed(events, overdispersion, 1) <= 2
    assert windows_until_closed(events, overdispersion, 200) <= 3


@pytest.mark.parametrize(("events", "shift"), [(200, 0.70), (400, 0.59), (6000, 0.40)])
def test_a_change_that_is_proven_in_half_of_its_windows_is_not_let_go(events: int, shift: float) -> None:
    """In ten windows; the shift is the one that half of all windows prove."""
    assert let_go_while_it_lasts(events, shift=shift) <= 0.01
