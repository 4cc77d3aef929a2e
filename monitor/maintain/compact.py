"""Compacts panes as far as no window that may still be read cuts inside a longer span."""

from collections.abc import Iterable

import sqlalchemy as sa

from monitor.store.compaction import SeriesRange, buckets_to_merge, merge_bucket
from monitor.store.configuration import AppliedModel
from monitor.store.counted_series import series_counted_after
from monitor.store.pane_marks import oldest_marked
from monitor.store.scale_progress import Progress, read_progress
from monitor.types import MINUTE_MILLIS
from monitor.windows.compaction import SPANS, ScaleProgress, compactable_before, settled_until
from monitor.windows.watermark import WatermarkRules

BUCKETS_AT_ONCE = 50


class Compactor:
    """Compacts models again and again; remembers how far it has come, so that a round reads what is new.

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
        sizes = {each.cells_id: each.layout.size for each in applied.cells}
        for span in SPANS:
            with engine.connect() as connection:
                before = self._before(connection, applied, span=span, watermark=watermark, open_from=open_from)
                ranges = self._ranges(connection, applied, span=span, before=before)
            while ranges:
                with engine.begin() as connection:
                    buckets = buckets_to_merge(connection, ranges, span=span, limit=BUCKETS_AT_ONCE)
                    merged = sum(
                        merge_bucket(connection, each, span=span, size=sizes[each.cells_id]) for each in buckets
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
    known = {each.length: each for each in progress}
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
