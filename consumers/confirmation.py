"""What a partition that stands at its end says about the events that fell on other partitions."""


class Confirmation:
    """Up to which event time one partition has nothing more to bring, although it has no event that says so.

    A *sample* is the newest event time that any partition has counted. A producer that sends in order has sent
    everything before it by then, wherever it falls, and the broker has it some seconds later: a partition that is read
    to its end after those seconds holds nothing older that was not counted.
    """

    def __init__(self, *, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._sample: tuple[int, float] | None = None

    @property
    def wants_sample(self) -> bool:
        """Return whether there is nothing to be confirmed."""
        return self._sample is None

    def sample(self, event_time: int, *, now: float) -> None:
        """Remember *event_time* (ms), which was read before *now* (monotonic seconds)."""
        self._sample = (event_time, now)

    def forget(self) -> None:
        """Begin anew: perhaps the broker was not heard since the sample was taken."""
        self._sample = None

    def due(self, *, now: float, at_end: bool) -> int | None:
        """Return the event time (ms) that is confirmed by standing *at_end* *now*; None: nothing yet."""
        if self._sample is None or not at_end:
            return None
        event_time, taken_at = self._sample
        return event_time if now - taken_at >= self._settle_seconds else None

    def written(self, event_time: int | None) -> None:
        """What `due` returned is stored; the next sample may be taken."""
        if event_time is not None:
            self._sample = None
