"""Judges windows again that were judged before a deployment of their time was known: its event came after them.

As with late events, final windows stay as they are; whether some of them would be judged otherwise is noted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa
import structlog

from monitor.evaluate.batch import TRIES, JudgedInputWindow, ModelWindows
from monitor.evaluate.pane_loading import PaneRowsReplaced
from monitor.evaluate.results import StoredEvaluation
from monitor.evaluate.revise import REVISIONS_AT_ONCE
from monitor.evaluate.revisions import WindowEvents
from monitor.evaluate.schedule import ProgressOf, SeriesWindows
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import WindowKey, last_revisions
from monitor.store.panes import pane_rows, series_began
from monitor.store.series import CountedSeries, counted_series, series_counted_after
from monitor.store.version_adoptions import VersionAdoption
from monitor.store.version_warm_ups import (
    WarmUp,
    WindowsToJudge,
    add_windows_to_judge,
    judged_until,
    read_warm_ups,
    read_windows_to_judge,
    write_warm_ups,
)
from monitor.types import InconclusiveReason, Scale, Window
from monitor.windows.sliding import length_millis, next_end, step_millis

log = structlog.get_logger()

Span = tuple[int, int | None]
"""Window ends (ms) in ``(after, until]``; until None: all later ones."""


def note_warm_ups(
    connection: sa.Connection, applied: AppliedModel, warm_ups: Iterable[WarmUp], *, progress: ProgressOf
) -> None:
    """Compare *warm_ups* with those by which windows were judged; note the windows that have to be judged again.

    Args:
        progress: As it was after the last look: what was final then stays as it was judged.
    """
    if not (warm_ups := tuple(warm_ups)):
        return
    known = read_warm_ups(connection, applied.model_id)
    news = [warm_up for warm_up in warm_ups if is_news(known.get(warm_up.version), warm_up)]
    spans = [(warm_up, judged_otherwise(known.get(warm_up.version), warm_up)) for warm_up in news]
    _note(connection, applied, spans, known=known, progress=progress)


def note_named_references(
    connection: sa.Connection, applied: AppliedModel, named: Iterable[VersionAdoption], *, progress: ProgressOf
) -> None:
    """Note the windows that have to be judged again by references that deployments *named*, adopted only now."""
    for adoption in named:
        known = read_warm_ups(connection, applied.model_id)
        unknown = WarmUp(version=adoption.version, deployed_at=adoption.used_from, warming=False)
        span = adoption.used_from - 1, None
        _note(connection, applied, [(known.get(adoption.version, unknown), span)], known=known, progress=progress)


def _note(
    connection: sa.Connection,
    applied: AppliedModel,
    spans: Sequence[tuple[WarmUp, Span | None]],
    *,
    known: Mapping[str, WarmUp],
    progress: ProgressOf,
) -> None:
    """Store the warm-ups; note the windows that each one's span has judged otherwise, and those that stay."""
    series: dict[int, CountedSeries] = {}
    if progress and any(span for _, span in spans):
        series = series_counted_after(connection, applied.model_id, None)
    changed: list[WarmUp] = []
    for warm_up, span in spans:
        final = known[warm_up.version].unrevised_until if warm_up.version in known else None
        of_version = [series_id for series_id, counted in series.items() if counted.key.version == warm_up.version]
        if span is not None and of_version:
            began = min(series_began(connection, of_version).values(), default=span[0])
            windows = tuple(windows_to_judge(of_version, applied.spec.scales, span, progress=progress))
            add_windows_to_judge(connection, applied.model_id, windows)
            too_late = final_until(span, progress=progress, began=began)
            final = max((end for end in (final, too_late) if end is not None), default=None)
            if windows or too_late is not None:
                _report(applied, warm_up, windows, too_late)
        changed.append(replace(warm_up, unrevised_until=final))
    write_warm_ups(connection, applied.model_id, changed)


def _report(applied: AppliedModel, warm_up: WarmUp, windows: Sequence[WindowsToJudge], too_late: int | None) -> None:
    write = log.info if too_late is None else log.warning
    write(
        "deployment.late",
        model=str(applied.key),
        version=warm_up.version,
        deployed_at=warm_up.deployed_at,
        judged_again_after=min((of_series.after for of_series in windows), default=None),
        not_judged_again_until=too_late,
    )


def is_news(known: WarmUp | None, now: WarmUp) -> bool:
    """Return whether *now* is to be stored; a first event is not later than it was, so retention dropped that one."""
    if known is None:
        return True
    return now.warming != known.warming or now.deployed_at < known.deployed_at


def judged_otherwise(known: WarmUp | None, now: WarmUp) -> Span | None:
    """Return which windows of a version are judged otherwise by *now* than by *known*."""
    before = known.deployed_at if known is not None and known.warming else None
    after = now.deployed_at if now.warming else None
    if before == after:
        return None
    if before is None or after is None:
        return next(moment for moment in (before, after) if moment is not None), None
    return min(before, after), max(before, after)


def windows_to_judge(
    series: Iterable[int], scales: Sequence[Scale], span: Span, *, progress: ProgressOf
) -> Iterator[WindowsToJudge]:
    """Yield the evaluated windows of *series* in *span* that are not final."""
    for scale in scales:
        if (known := progress.get(scale.length)) is None:
            continue
        after = max(span[0], known.final_until, -1 if known.judged_after is None else known.judged_after)
        until = known.evaluated_until if span[1] is None else min(span[1], known.evaluated_until)
        if next_end(scale, after) <= until:
            for series_id in series:
                yield WindowsToJudge(series_id=series_id, length=scale.length, after=after, until=until)


def final_until(span: Span, *, progress: ProgressOf, began: int) -> int | None:
    """Return the last end (ms) in *span* at which a window of a series that *began* then is final; None without any."""
    final = max(known.final_until for known in progress.values())
    until = final if span[1] is None else min(span[1], final)
    return until if until > max(span[0], began) else None


def judge_again(model_windows: ModelWindows) -> tuple[list[StoredEvaluation], bool]:
    """Judge the noted windows again; return what was stored, and whether something had to be left for later."""
    connection, model_id = model_windows.connection, model_windows.applied.model_id
    due = read_windows_to_judge(connection, model_id, limit=REVISIONS_AT_ONCE)
    if not due:
        return [], False
    series_ids = {windows.series_id for windows in due}
    model_windows.series |= counted_series(connection, series_ids)
    since = series_began(connection, sorted(series_ids))
    scales = {scale.length: scale for scale in model_windows.applied.spec.scales}
    stored: list[StoredEvaluation] = []
    worked: list[tuple[WindowsToJudge, int]] = []
    room = REVISIONS_AT_ONCE
    for windows in due:
        scale = scales.get(windows.length)
        if scale is None or windows.series_id not in since:  # the spec changed, or retention took its last pane
            worked.append((windows, windows.until))
            continue
        if room <= 0:
            break
        ends = range(next_end(scale, windows.after), windows.until + 1, step_millis(scale))[:room]
        room -= len(ends)
        stored += model_windows.store(_judged(model_windows, windows.series_id, scale, ends, since=since))
        through = not ends or ends[-1] + step_millis(scale) > windows.until
        worked.append((windows, windows.until if through else ends[-1]))
    judged_until(connection, model_id, worked)
    through_all = len(worked) == len(due) and all(windows.until == end for windows, end in worked)
    return stored, not through_all or len(due) == REVISIONS_AT_ONCE


def _judged(
    model_windows: ModelWindows, series_id: int, scale: Scale, ends: Sequence[int], *, since: Mapping[int, int]
) -> list[JudgedInputWindow]:
    """Judge those of *ends* again that were judged and whose panes are all there."""
    if not ends:
        return []
    connection, length = model_windows.connection, length_millis(scale)
    stored = last_revisions(connection, [WindowKey(series_id, scale.length, end) for end in ends])
    for _ in range(TRIES):
        rows = pane_rows(connection, series_id=series_id, start=ends[0] - 2 * length, stop=ends[-1])
        events = WindowEvents(rows)
        complete = tuple(
            key.end for key, last in sorted(stored.items()) if not events.lost(Window(scale, key.end), last)
        )
        if not complete:
            return []
        windows = SeriesWindows(series_id, rows, ((scale, complete),))
        try:
            judged = list(model_windows.evaluated(windows, since=since[series_id], stored=stored))
        except PaneRowsReplaced:
            continue
        return [one for one in judged if one.window.result.reason is not InconclusiveReason.COMPACTED]
    raise model_windows.compacted_too_often()
