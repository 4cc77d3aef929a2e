"""Where the CPU goes: seconds of the whole process spent in each step of ingest."""

from dataclasses import dataclass

from monitor.clock import cpu_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU seconds by step, and how many records were read."""

    consume: float
    decode: float
    count: float
    flush: float
    records: int


class Timings:
    """Adds up CPU seconds; what runs in other threads meanwhile (the Kafka client's) is in the step it ran beside."""

    def __init__(self) -> None:
        self._spent = {"consume": 0.0, "decode": 0.0, "count": 0.0, "flush": 0.0}
        self._last = cpu_seconds()
        self.records = 0

    def end(self, step: str) -> None:
        """Book the CPU since the last call on *step*."""
        now = cpu_seconds()
        self._spent[step] += now - self._last
        self._last = now

    def snapshot(self) -> Spent:
        """Return what was spent so far."""
        return Spent(**self._spent, records=self.records)
