"""What a partition that stands at its end says about the events that fell on other partitions."""


class Confirmation:
    """Up to which event time one partition has nothing more to bring, although it has no event that says so.

    A *sample* is the newest event time that any partition has counted. A producer that sends in order has sent
    everything before it by then, wherever it falls, and the broker has it some seconds later: a partition that is read
    to its end after those seconds holds nothing older that was not counted.

    One whose records never pause is never seen at its end, though it may have no event that counts. There the end that
    a later answer of the broker named will do, once the position has passed it: an answer is later if it names another
    end than was known when the seconds were over.
    """

    def __init__(self, *, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._sample: tuple[int, float] | None = None
        self._known_end: int | None = None  # when the seconds were over
        self._later_end: int | None = None

    @property
    def wants_sample(self) -> bool:
        """Return whether there is nothing to be confirmed."""
        return self._sample is None

    def sample(self, event_time: int, *, now: float) -> None:
        """Remember *event_time* (ms), which was read before *now* (monotonic seconds)."""
        self.forget()
        self._sample = (event_time, now)

    def forget(self) -> None:
        """Begin anew: perhaps the broker was not heard since the sample was taken."""
        self._sample = self._known_end = self._later_end = None

    def due(self, *, now: float, at_end: bool, position: int, fetched_end: int) -> int | None:
        """Return the event time (ms) that is confirmed by what was read until *now*; None: nothing yet.

        Args:
            now: Monotonic seconds.
            at_end: Everything that was there at the client's last fetch is read.
            position: Everything before is read.
            fetched_end: Where the partition ended at the client's last fetch; negative: not known.
        """
        if self._sample is None:
            return None
        event_time, taken_at = self._sample
        if now - taken_at < self._settle_seconds:
            return None
        if self._known_end is None:
            self._known_end = fetched_end
        if self._later_end is None and fetched_end >= 0 and fetched_end != self._known_end:
            self._later_end = fetched_end
        passed = self._later_end is not None and position >= self._later_end
        return event_time if at_end or passed else None

    def written(self, event_time: int | None) -> None:
        """What `due` returned is stored; the next sample may be taken."""
        if event_time is not None:
            self.forget()
