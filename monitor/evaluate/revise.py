"""Re-evaluates windows whose counts changed after they were evaluated, in pages of due spans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from monitor.evaluate.batch import TRIES, JudgedInputWindow, ModelWindows
from monitor.evaluate.pane_loading import PaneRowsReplaced
from monitor.evaluate.results import StoredEvaluation
from monitor.evaluate.revisions import (
    ReadingEnds,
    WindowEvents,
    begins_to_be_judged,
    near_groups,
    reading_ends,
    reads,
    seconds_left,
)
from monitor.evaluate.schedule import SeriesWindows
from monitor.store.evaluations import LastRevision, WindowKey, last_revisions
from monitor.store.panes import pane_rows, series_began
from monitor.store.revisions_due import DueSpan, close_due, narrow_to_own_minute, postpone_due, read_due
from monitor.store.series import counted_series
from monitor.types import InconclusiveReason, Scale, Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import last_end, length_millis

REVISIONS_AT_ONCE = 500
DUE_AT_ONCE = 5_000


def revise(model_windows: ModelWindows) -> tuple[list[StoredEvaluation], bool]:
    """Re-evaluate due windows; return what was stored, and whether something had to be left for later."""
    revisions = _RevisionPass(model_windows, room=REVISIONS_AT_ONCE)
    crossed = [
        final
        for scale, progress in revisions.scales.items()
        if (final := revisions.final(scale)) > progress.final_until
    ]
    after: DueSpan | None = None
    while not revisions.left:
        page = read_due(
            model_windows.connection,
            model_windows.applied.model_id,
            crossed=max(crossed, default=None),
            after=after,
            limit=DUE_AT_ONCE,
        )
        revisions.work(page)
        if len(page) < DUE_AT_ONCE:
            break
        after = page[-1]
    return revisions.stored, revisions.left


@dataclass(kw_only=True)
class _ScaleRevisions:
    """Windows of one scale of one series to revise: their ends, ascending, and how long at least to wait."""

    waiting: list[int] = field(default_factory=list)
    seconds: float = 0.0


class _RevisionPass:
    """One pass over the due stretches; *left*: there was no room for all of it."""

    def __init__(self, model_windows: ModelWindows, *, room: int) -> None:
        self._model_windows = model_windows
        self._room = room
        self.scales = {
            scale: progress
            for scale in model_windows.applied.spec.scales
            if (progress := model_windows.progress.get(scale.length)) is not None
        }
        self.stored: list[StoredEvaluation] = []
        self.left = False

    def final(self, scale: Scale) -> int:
        """Return the last evaluated end (ms) whose window no event can be added to, bar those of idle partitions."""
        return min(self.scales[scale].evaluated_until, last_end(scale, self._model_windows.final_before))

    def work(self, page: Sequence[DueSpan]) -> None:
        """Revise the windows of every stretch of *page* as far as there is room; close or postpone the stretches."""
        model_windows = self._model_windows
        closed: list[DueSpan] = []
        begun: list[DueSpan] = []
        postponed: list[tuple[DueSpan, float]] = []
        by_series = sorted(page)
        model_windows.series |= counted_series(model_windows.connection, {stretch.series_id for stretch in by_series})
        since = series_began(model_windows.connection, sorted({stretch.series_id for stretch in by_series}))
        for series_id, group in groupby(by_series, key=lambda stretch: stretch.series_id):
            stretches = tuple(group)
            if series_id not in since:  # retention took its last pane
                closed += stretches
                continue
            waits = {
                scale: self._revise_scale(scale, series_id, stretches, since=since[series_id]) for scale in self.scales
            }
            begun += [stretch for stretch in stretches if stretch.stop > stretch.start + MINUTE_MILLIS]
            if self.left:
                break
            for stretch in stretches:
                seconds = [wait.seconds for scale, wait in waits.items() if reads(scale, stretch, wait.waiting)]
                if seconds:
                    postponed.append((stretch, max(min(seconds), model_windows.rules.revision_seconds / 4)))
                else:
                    closed.append(stretch)
        narrow_to_own_minute(model_windows.connection, model_windows.applied.model_id, begun)
        close_due(model_windows.connection, model_windows.applied.model_id, closed)
        postpone_due(model_windows.connection, model_windows.applied.model_id, postponed)

    def _revise_scale(
        self, scale: Scale, series_id: int, stretches: Sequence[DueSpan], *, since: int
    ) -> _ScaleRevisions:
        model_windows, progress = self._model_windows, self.scales[scale]
        reading = reading_ends(scale, stretches, progress)
        keys = [WindowKey(series_id, scale.length, end) for end in reading.ends]
        stored = last_revisions(model_windows.connection, keys)
        begins = {end for end in reading.ends if begins_to_be_judged(Window(scale, end), stretches, since=since)}
        scale_waits, ready = _ScaleRevisions(), []
        for key in keys:
            if key.end not in reading.marked or key.end in begins:
                continue
            seconds = seconds_left(
                key.end,
                stored.get(key),
                revision_seconds=model_windows.rules.revision_seconds,
                final_until=progress.final_until,
                final=self.final(scale),
            )
            if seconds > 0:
                scale_waits.seconds = min(seconds, scale_waits.seconds or seconds)
                scale_waits.waiting.append(key.end)
            else:
                ready.append(key.end)
        for ends in near_groups(scale, sorted(begins)):
            self._store(self._judged_again(scale, series_id, ends, stored, since=since, all_with_events=True), reading)
        for ends in near_groups(scale, ready):
            judged = self._judged_again(scale, series_id, ends, stored, since=since, all_with_events=False)
            self._room -= len(judged)
            self._store(judged, reading)
        return scale_waits

    def _store(self, judged: Sequence[JudgedInputWindow], reading: ReadingEnds) -> None:
        """Store *judged*; that a window's history was compacted is news only where one of its minutes got events."""
        news = [
            one
            for one in judged
            if one.window.result.reason is not InconclusiveReason.COMPACTED or one.window.end in reading.marked
        ]
        self.stored += self._model_windows.store(news)

    def _judged_again(
        self,
        scale: Scale,
        series_id: int,
        ends: Sequence[int],
        stored: Mapping[WindowKey, LastRevision],
        *,
        since: int,
        all_with_events: bool,
    ) -> list[JudgedInputWindow]:
        """Evaluate those that changed, as far as there is room; *all_with_events*: all that have events."""
        model_windows, length = self._model_windows, length_millis(scale)
        for _ in range(TRIES):
            rows = pane_rows(model_windows.connection, series_id=series_id, start=ends[0] - 2 * length, stop=ends[-1])
            events = WindowEvents(rows)
            if all_with_events:
                changed = [end for end in ends if events.between(end - length, end)]
            else:
                last = (stored.get(WindowKey(series_id, scale.length, end)) for end in ends)
                changed = [end for end, of in zip(ends, last, strict=True) if events.changed(Window(scale, end), of)]
                self.left |= len(changed) > self._room
                changed = changed[: self._room]
            if not changed:
                return []
            windows = SeriesWindows(series_id, rows, ((scale, tuple(changed)),))
            try:
                return list(model_windows.evaluated(windows, since=since, stored=stored))
            except PaneRowsReplaced:
                continue
        raise model_windows.compacted_too_often()
