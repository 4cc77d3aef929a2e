"""How far panes may be compacted: no window still to be evaluated or revised may cut inside a longer span.

A window cuts at its end, its middle, its start and the start of the previous disjoint window. The step divides half
the length, so all of them are multiples of the step, and the earliest is two lengths before the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.types import MINUTE_MILLIS, Scale
from monitor.windows.due import length_millis, next_end

SPANS = (1, 10, 60)


@dataclass(frozen=True, slots=True)
class ScaleProgress:
    """Up to which end (ms) one series' windows of one scale are settled: neither evaluated nor revised again."""

    scale: Scale
    settled_until: int


def compactable_before(progress: Iterable[ScaleProgress], *, span: int) -> int | None:
    """Return the event time (ms) up to which rows may be summed into aligned spans of *span* minutes.

    Returns:
        None when every cut of every scale is a multiple of the span, so that nothing limits it.
    """
    limits = [
        next_end(each.scale, each.settled_until) - 2 * length_millis(each.scale)
        for each in progress
        if each.scale.step % span
    ]
    return min(limits, default=None)


def settled_until(
    scale: Scale, *, evaluated_until: int, final_until: int | None, watermark: int, allowed_lateness: int
) -> int:
    """Return the last end whose window will not be read again; -1 while that is not known."""
    if final_until is None:
        return -1
    revisable_from = watermark - allowed_lateness - length_millis(scale)
    return min(evaluated_until, final_until, revisable_from)


def bucket_start(start: int, *, span: int) -> int:
    """Return the start (ms) of the aligned span of *span* minutes that holds *start*."""
    size = span * MINUTE_MILLIS
    return start // size * size
