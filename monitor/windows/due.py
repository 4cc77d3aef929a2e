"""Which window ends of one scale are due: multiples of the step, skipping stretches without events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.types import MINUTE_MILLIS, Scale


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Half-open ``[start, stop)`` of event time (ms) in which there are events."""

    start: int
    stop: int


def step_millis(scale: Scale) -> int:
    """Return the distance of window ends in milliseconds."""
    return scale.step * MINUTE_MILLIS


def length_millis(scale: Scale) -> int:
    """Return the length of a window in milliseconds."""
    return scale.length * MINUTE_MILLIS


def next_end(scale: Scale, moment: int) -> int:
    """Return the first window end strictly after *moment*."""
    step = step_millis(scale)
    return (moment // step + 1) * step


def last_end(scale: Scale, moment: int) -> int:
    """Return the last window end not after *moment*."""
    step = step_millis(scale)
    return moment // step * step


def ends_with_events(scale: Scale, stretches: Iterable[Stretch], *, after: int | None, until: int) -> Iterator[int]:
    """Yield, ascending, each window end in ``(after, until]`` whose window overlaps one of *stretches*.

    Args:
        stretches: Sorted by start; they may overlap.
        after: None: from the first stretch on.
    """
    length, step = length_millis(scale), step_millis(scale)
    end = None if after is None else next_end(scale, after)
    for stretch in stretches:
        first = next_end(scale, stretch.start)
        end = first if end is None else max(end, first)
        # the window [end - length, end) overlaps while its start lies before the stretch's stop
        while end < stretch.stop + length and end <= until:
            yield end
            end += step


def first_end_with_events(scale: Scale, stretch: Stretch, *, after: int | None) -> int:
    """Return the first window end after *after* that overlaps *stretch*, the first that such a window can reach."""
    first = next_end(scale, stretch.start)
    return first if after is None else max(first, next_end(scale, after))


def ends_covering(scale: Scale, minutes: Iterable[int], *, until: int) -> frozenset[int]:
    """Return every window end up to *until* whose window holds one of *minutes* (starts, ms)."""
    return _ends_within(scale, minutes, length_millis(scale), until=until)


def ends_reading(scale: Scale, minutes: Iterable[int], *, until: int) -> frozenset[int]:
    """Return every window end up to *until* whose window, or the disjoint one before, holds one of *minutes*."""
    return _ends_within(scale, minutes, 2 * length_millis(scale), until=until)


def _ends_within(scale: Scale, minutes: Iterable[int], reach: int, *, until: int) -> frozenset[int]:
    step = step_millis(scale)
    ends: set[int] = set()
    for chunk in {minute // step * step for minute in minutes}:  # a window holds a whole step or nothing of it
        ends.update(range(chunk + step, min(chunk + reach, until) + 1, step))
    return frozenset(ends)
