"""How far panes may be compacted: no window still to be evaluated or revised may cut inside a longer span.

A window cuts at its end, its middle, its start and the start of the previous disjoint window. The step divides half
the length, so all of them are multiples of the step, and the earliest is two lengths before the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.types import Scale
from monitor.windows.sliding import length_millis, next_end

SPANS = (1, 10, 60)


@dataclass(frozen=True, slots=True)
class ScaleProgress:
    """Up to which end (ms) the windows of one scale are settled: neither evaluated nor revised again."""

    scale: Scale
    settled_until: int


def compactable_before(progress: Iterable[ScaleProgress], *, span: int, open_from: int | None = None) -> int | None:
    """Return the event time (ms) up to which rows may be summed into aligned spans of *span* minutes.

    Args:
        open_from: Events from here on may still come, or came and wait: every window that reads them will be revised.

    Returns:
        None when every cut of every scale is a multiple of the span, so that nothing limits it.
    """
    limits = []
    for scale in progress:
        if scale.scale.step % span:
            first = next_end(scale.scale, scale.settled_until)
            if open_from is not None:
                first = min(first, next_end(scale.scale, open_from))
            limits.append(first - 2 * length_millis(scale.scale))
    return min(limits, default=None)


def settled_until(
    scale: Scale, *, evaluated_until: int, final_until: int, watermark: int, allowed_lateness: int
) -> int:
    """Return the last end whose window will not be read again, unless an idle partition brings events; -1: none."""
    revisable_from = watermark - allowed_lateness - length_millis(scale)
    return max(-1, min(evaluated_until, final_until, revisable_from))
