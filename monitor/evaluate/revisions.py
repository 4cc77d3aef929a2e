"""Windows that got late events after they were evaluated: evaluated again as the next revision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.evaluations import LastRevision, Progress, last_revisions
from monitor.store.panes import events_by_step
from monitor.types import Scale
from monitor.windows.due import last_end, length_millis, step_millis
from monitor.windows.watermark import WatermarkRules

REVISIONS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class WindowEvents:
    """Events counted by now in a window and in the disjoint window before it."""

    end: int
    events: int
    previous_events: int


@dataclass(frozen=True, slots=True)
class Revisions:
    """Windows of one series and scale to evaluate again, and the progress once they are.

    Attributes:
        numbers: The next revision by window end (ms), ascending.
        more: There are more than fit into one pass.
    """

    scale: Scale
    numbers: Mapping[int, int]
    progress: Progress
    more: bool


def due_revisions(
    connection: sa.Connection,
    *,
    scale: Scale,
    progress: Progress,
    watermark: int,
    rules: WatermarkRules,
    revision_seconds: float,
) -> Revisions:
    """Return which evaluated windows hold other events now than when they were evaluated.

    Those that final events can no longer change are compared a last time, whatever their last revision's age; a
    younger window is revised at most once in *revision_seconds*.
    """
    after = watermark - rules.allowed_lateness - length_millis(scale)
    after = min(after, -1 if progress.final_until is None else progress.final_until)
    until = progress.evaluated_until
    final = min(until, last_end(scale, watermark - rules.finality))
    stored = last_revisions(connection, series_id=progress.series_id, length=scale.length, after=after, until=until)
    changed: dict[int, int] = {}
    for now in _events_now(connection, progress.series_id, scale, after=after, until=until):
        last = stored.get(now.end)
        if _differs(now, last) and (now.end <= final or last is None or last.age_seconds >= revision_seconds):
            changed[now.end] = 1 if last is None else last.revision + 1
    more = len(changed) > REVISIONS_AT_ONCE
    if more:
        changed = dict(list(changed.items())[:REVISIONS_AT_ONCE])
        final = min(final, max(changed))
    settled = final if progress.final_until is None else max(final, progress.final_until)
    return Revisions(scale, changed, Progress(progress.series_id, scale.length, until, settled), more)


def _differs(now: WindowEvents, last: LastRevision | None) -> bool:
    if last is None:
        return now.events > 0  # its first events came after its end had been passed over
    return (now.events, now.previous_events) != (last.events, last.previous_events)


def _events_now(
    connection: sa.Connection, series_id: int, scale: Scale, *, after: int, until: int
) -> Iterator[WindowEvents]:
    """Yield each end in ``(after, until]`` whose window or the one before has events, ascending."""
    length, step = length_millis(scale), step_millis(scale)
    start = max(0, last_end(scale, after) + step - 2 * length)
    found = events_by_step(connection, series_id=series_id, start=start, stop=until, step=step)
    events = {each.start: each.events for each in found}
    ends: set[int] = set()
    for each in events:
        ends.update(range(each + step, each + 2 * length + step, step))
    steps_in_window = length // step
    for end in sorted(end for end in ends if after < end <= until):
        starts = [end - count * step for count in range(1, 2 * steps_in_window + 1)]
        yield WindowEvents(
            end,
            sum(events.get(each, 0) for each in starts[:steps_in_window]),
            sum(events.get(each, 0) for each in starts[steps_in_window:]),
        )
