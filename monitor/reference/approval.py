"""Which hours of live time are good enough to be a reference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.types import HOUR_MILLIS


@dataclass(frozen=True, slots=True)
class Interval:
    """Event time ``[start, stop)`` in milliseconds; *stop* None: it goes on."""

    start: int
    stop: int | None = None

    def overlaps(self, start: int, stop: int) -> bool:
        """Return whether ``[start, stop)`` has a moment in it."""
        return self.start < stop and (self.stop is None or start < self.stop)

    def holds(self, start: int, stop: int) -> bool:
        """Return whether ``[start, stop)`` lies wholly in it."""
        return self.start <= start and (self.stop is None or stop <= self.stop)


@dataclass(frozen=True, slots=True)
class LiveHour:
    """One hour of one series that has events; *on_cells*: all of them were counted on the cells that are wanted."""

    start: int
    on_cells: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Starts of the approved hours, and of how many others each reason took care."""

    approved: tuple[int, ...]
    in_incidents: int
    not_serving: int
    other_cells: int


def approve_hours(
    hours: Iterable[LiveHour], *, suspect: Sequence[Interval], serving: Sequence[Interval] | None
) -> Approval:
    """Return which of *hours* are approved: in production, on the wanted cells, and nothing was amiss.

    Args:
        suspect: When an incident was open, from the start of the window that opened it on.
        serving: When the version was in production; None: not known, so always.
    """
    approved: list[int] = []
    in_incidents = not_serving = other_cells = 0
    for hour in hours:
        start, stop = hour.start, hour.start + HOUR_MILLIS
        if serving is not None and not any(each.holds(start, stop) for each in serving):
            not_serving += 1
        elif any(each.overlaps(start, stop) for each in suspect):
            in_incidents += 1
        elif not hour.on_cells:
            other_cells += 1
        else:
            approved.append(start)
    return Approval(
        approved=tuple(approved), in_incidents=in_incidents, not_serving=not_serving, other_cells=other_cells
    )
