"""The wait before the next try of what keeps failing: twice as long after every failure, up to a longest one."""

from dataclasses import dataclass

_DOUBLINGS = 30  # enough for every wait; a count of failures has no bound, a float has


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait of *first_seconds* after the first failure in a row, never of more than *longest_seconds*.

    The caller does the waiting, for its stop event, the polling of its client or its other children go on meanwhile.
    """

    first_seconds: float
    longest_seconds: float

    def wait_seconds(self, failures: int) -> float:
        """Return how long to wait after so many *failures* in a row; 0.0 after none."""
        if failures < 1:
            return 0.0
        return min(self.first_seconds * 2.0 ** min(failures - 1, _DOUBLINGS), self.longest_seconds)
