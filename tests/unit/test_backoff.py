"""The wait between two tries of what keeps failing."""

import pytest

from monitor.backoff import Backoff


def test_the_wait_doubles_up_to_the_longest() -> None:
    """Nothing to wait for without a failure; then 1, 2, 4 seconds, and never more than the longest wait."""
    backoff = Backoff(first_seconds=1.0, longest_seconds=5.0)
    assert [backoff.wait_seconds(failures) for failures in range(6)] == [0.0, 1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("failures", [1_025, 10**6])
def test_an_outage_of_weeks_is_waited_for(failures: int) -> None:
    """2 to the power of the failures is no float from the 1024th on; the wait is."""
    assert Backoff(first_seconds=0.2, longest_seconds=5.0).wait_seconds(failures) == 5.0
