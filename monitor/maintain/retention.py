"""Compacts panes and drops what is past its retention."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError

from monitor.settings import Settings
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.dead_letters import drop_old_letters
from monitor.store.pane_marks import oldest_marked
from monitor.store.panes import SeriesRange, buckets_to_merge, merge_bucket
from monitor.store.refused_counts import drop_old_counts
from monitor.store.retention import (
    DELIVERIES,
    FLUSHES,
    INCIDENTS_AT_ONCE,
    JOINED,
    MARKS,
    PANES,
    PERFORMANCE_PANES,
    PERFORMANCE_SUMS,
    ROWS_AT_ONCE,
    STRAY_EVALUATIONS,
    TRUTHS,
    UNSEEN_VALUES,
    drop_old,
    drop_old_dedup,
    drop_old_deployments,
    drop_old_incidents,
    remove_empty_series,
)
from monitor.store.scale_progress import Progress, read_progress
from monitor.store.schema import evaluation, performance_evaluation, prediction_ledger
from monitor.store.series import series_counted_after
from monitor.store.time_partitions import (
    add_weeks,
    drop_time_partition,
    pack_week,
    time_partitions,
    unpacked_weeks,
    week_start,
)
from monitor.store.topics import newest_event_time
from monitor.types import TopicRole
from monitor.units import DAY_MILLIS, MINUTE_MILLIS, WEEK_MILLIS
from monitor.windows.compaction import SPANS, ScaleProgress, compactable_before, settled_until
from monitor.windows.watermark import WatermarkRules

log = structlog.get_logger()

BUCKETS_AT_ONCE = 50

CHUNKS_AT_ONCE = 100  # of one table in a round: half a million rows; the rest follows in the next
WEEKS_AHEAD = 4
DAYS_OF_A_WEEK = 8  # with the day that the week may be longer by the hour
LOCK_NOT_AVAILABLE, STATEMENT_ENDED = "55P03", "57014"

EVALUATIONS = (evaluation, performance_evaluation)


class Compactor:
    """Compacts models; remembers how far it has come, so that a round reads what is new.

    What a late delta left behind is found by a new compactor: one is made when the process starts and every day.
    """

    def __init__(self, rules: WatermarkRules) -> None:
        self._rules = rules
        self._done: dict[tuple[int, int], int] = {}  # by model and span

    def compact(self, engine: sa.Engine, applied: AppliedModel, *, watermark: int, open_from: int | None = None) -> int:
        """Merge every span of *applied* that is complete under *watermark* (ms); return how many rows were replaced.

        *open_from*: from here on partitions may still bring events; None: none may, below the lateness.
        """
        replaced = 0
        sizes = {cell.cells_id: cell.layout.size for cell in applied.cells}
        for span in SPANS:
            with engine.connect() as connection:
                before = self._before(connection, applied, span=span, watermark=watermark, open_from=open_from)
                ranges = self._ranges(connection, applied, span=span, before=before)
            while ranges:
                with engine.begin() as connection:
                    buckets = buckets_to_merge(connection, ranges, span=span, limit=BUCKETS_AT_ONCE)
                    merged = sum(
                        merge_bucket(connection, bucket, span=span, size=sizes[bucket.cells_id]) for bucket in buckets
                    )
                    # A flush may have come since: who read a pane of it reads its mark now, and leaves both alone.
                    if before > self._before(connection, applied, span=span, watermark=watermark, open_from=open_from):
                        connection.rollback()
                        return replaced
                replaced += merged
                # Nothing merged though there is something: another process has these rows and does it.
                if len(buckets) < BUCKETS_AT_ONCE or not merged:
                    break
            self._done[(applied.model_id, span)] = before
        return replaced

    def _before(
        self, connection: sa.Connection, applied: AppliedModel, *, span: int, watermark: int, open_from: int | None
    ) -> int:
        size = span * MINUTE_MILLIS
        marked = oldest_marked(connection, applied.model_id)
        limits = [limit for limit in (open_from, marked) if limit is not None]
        before = model_compactable_before(
            applied,
            read_progress(connection, applied.model_id).values(),
            span=span,
            watermark=watermark,
            open_from=min(limits, default=None),
            rules=self._rules,
        )
        return before // size * size

    def _ranges(self, connection: sa.Connection, applied: AppliedModel, *, span: int, before: int) -> list[SeriesRange]:
        """Return what is new below *before*, of series that have panes there."""
        since = self._done.get((applied.model_id, span), 0)
        if before <= since:
            return []
        counted = series_counted_after(connection, applied.model_id, since)
        return [SeriesRange(series_id, since, before) for series_id in counted]


def model_compactable_before(
    applied: AppliedModel,
    progress: Iterable[Progress],
    *,
    span: int,
    watermark: int,
    open_from: int | None,
    rules: WatermarkRules,
) -> int:
    """Return the event time (ms) before which a model's rows may be summed into spans of *span* minutes."""
    known = {progress_row.length: progress_row for progress_row in progress}
    settled = []
    for scale in applied.spec.scales:
        until = -1
        if (of_scale := known.get(scale.length)) is not None:
            until = settled_until(
                scale,
                evaluated_until=of_scale.evaluated_until,
                final_until=of_scale.final_until,
                watermark=watermark,
                allowed_lateness=rules.allowed_lateness,
            )
        settled.append(ScaleProgress(scale, until))
    limit = compactable_before(settled, span=span, open_from=open_from)
    return watermark if limit is None else min(limit, watermark)


@dataclass
class RetentionProgress:
    """How far one process has got: series by id, deployments by event time (ms), weeks not packed in time.

    Lost with the process, which costs another look.
    """

    series_id: int = 0
    deployments_before: int = 0
    left_unpacked: set[str] = field(default_factory=set)


class ChunkedDeletes:
    """Deletes in short transactions until nothing is left, the round's budget is used, or the process stops."""

    def __init__(self, engine: sa.Engine, stop: threading.Event) -> None:
        self._engine, self._stop = engine, stop

    def drop(self, delete: Callable[[sa.Connection], int], *, at_once: int = ROWS_AT_ONCE) -> int:
        """Call *delete*, which deletes up to *at_once* rows, until there is no more; return how many it deleted."""
        total = 0
        for _ in range(CHUNKS_AT_ONCE):
            with self._engine.begin() as connection:
                deleted = delete(connection)
            total += deleted
            if deleted < at_once or self._stop.is_set():
                break
        return total


def drop_expired(
    engine: sa.Engine, settings: Settings, *, walk: RetentionProgress | None = None, stop: threading.Event | None = None
) -> int:
    """Drop what is past its retention and make the partitions of the coming weeks.

    Returns how many rows; dropped weeks count as one row each.
    """
    with engine.connect() as connection:
        newest, now = newest_event_time(connection, TopicRole.PREDICTIONS), database_now_millis(connection)
    make_weeks_ahead(engine, now=now)
    walk = walk or RetentionProgress()
    chunks = ChunkedDeletes(engine, stop or threading.Event())
    dropped = 0 if newest is None else _drop_by_event_time(engine, chunks, settings, newest=newest, walk=walk)
    return dropped + _drop_by_clock(engine, chunks, settings, walk=walk)


def make_weeks_ahead(engine: sa.Engine, *, now: int) -> None:
    """Make this week's partitions and those of the weeks to come, so that no flush and no evaluation has to wait."""
    this_week = week_start(now)
    starts = {this_week + number * WEEK_MILLIS for number in range(WEEKS_AHEAD + 1)}
    for table in (prediction_ledger, *EVALUATIONS):
        _unless_busy(engine, table.name, partial(add_weeks, table=table, starts=starts))


def _drop_by_event_time(
    engine: sa.Engine, chunks: ChunkedDeletes, settings: Settings, *, newest: int, walk: RetentionProgress
) -> int:
    panes_before = newest - settings.pane_retention_days * DAY_MILLIS
    ledger_before = newest - settings.ledger_retention_days * DAY_MILLIS
    dropped, oldest_week = _drop_weeks(engine, prediction_ledger, before=ledger_before)
    # While the ledger has a prediction a correction finds it, and must find what was joined before.
    joined_before = ledger_before if oldest_week is None else min(ledger_before, oldest_week)
    dropped += chunks.drop(partial(drop_old, statement=JOINED, before=joined_before))
    for statement in (PANES, MARKS, PERFORMANCE_PANES, PERFORMANCE_SUMS, UNSEEN_VALUES):
        dropped += chunks.drop(partial(drop_old, statement=statement, before=panes_before))
    evaluations_before = newest - settings.evaluation_retention_days * DAY_MILLIS
    for table in EVALUATIONS:
        _pack_finished(engine, table, before=newest - DAY_MILLIS, walk=walk)
        dropped += _drop_weeks(engine, table, before=evaluations_before)[0]
    for statement in STRAY_EVALUATIONS:
        dropped += chunks.drop(partial(drop_old, statement=statement, before=evaluations_before))
    before = newest - settings.deployment_retention_days * DAY_MILLIS
    with engine.begin() as connection:
        dropped += drop_old_deployments(connection, since=walk.deployments_before, before=before)
    walk.deployments_before = max(before, 0)
    return dropped


def _drop_by_clock(engine: sa.Engine, chunks: ChunkedDeletes, settings: Settings, *, walk: RetentionProgress) -> int:
    incident_days = settings.incident_retention_days
    dropped = chunks.drop(partial(drop_old, statement=TRUTHS, days=settings.ledger_retention_days))
    dropped += chunks.drop(partial(drop_old, statement=FLUSHES, days=settings.flush_retention_days))
    dropped += chunks.drop(partial(drop_old_incidents, days=incident_days), at_once=INCIDENTS_AT_ONCE)
    dropped += chunks.drop(partial(drop_old, statement=DELIVERIES, days=incident_days))
    dropped += chunks.drop(partial(drop_old_letters, days=settings.dead_letter_retention_days))
    with engine.begin() as connection:
        dropped += drop_old_counts(connection, days=settings.dead_letter_retention_days)
    with engine.begin() as connection:
        dropped += drop_old_dedup(connection, horizon=settings.dedup_horizon)
    # A series had no panes when it was marked; after so long the ledger's last week with its predictions is dropped.
    days = max(settings.pane_retention_days, settings.ledger_retention_days) + DAYS_OF_A_WEEK
    with engine.begin() as connection:
        removed, walk.series_id = remove_empty_series(connection, after=walk.series_id, days=days)
    return dropped + removed


def _drop_weeks(engine: sa.Engine, table: sa.Table, *, before: int) -> tuple[int, int | None]:
    """Drop the partitions that end before *before* (ms); return how many, and where the oldest that is left begins."""
    with engine.connect() as connection:
        weeks = time_partitions(connection, table.name)
    dropped = 0
    for week in weeks:
        if week.stop > before:
            return dropped, week.start
        if not _unless_busy(engine, week.table, partial(drop_time_partition, partition=week)):
            return dropped, week.start
        dropped += 1
    return dropped, None


def _pack_finished(engine: sa.Engine, table: sa.Table, *, before: int, walk: RetentionProgress) -> None:
    """Pack one week, the oldest that is not; a day after its end nothing but a late revision is added to it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for partition in unpacked_weeks(connection, table.name, before=before):
            if partition.table in walk.left_unpacked:
                continue
            try:
                pack_week(connection, partition)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in (LOCK_NOT_AVAILABLE, STATEMENT_ENDED):
                    raise
                walk.left_unpacked.add(partition.table)
            log.info("retention.packed", table=partition.table, done=partition.table not in walk.left_unpacked)
            return


def _unless_busy(engine: sa.Engine, table: str, change: Callable[[sa.Connection], object]) -> bool:
    """Make a change of the schema; return False where a lock was not free: the next round tries again."""
    try:
        with engine.begin() as connection:
            change(connection)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        log.info("retention.postponed", table=table)
        return False
    return True
