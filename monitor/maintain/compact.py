"""Compacts panes as far as no window that may still be read cuts inside a longer span."""

from collections.abc import Mapping

import sqlalchemy as sa

from monitor.store.compaction import SeriesRange, buckets_to_merge, merge_bucket
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import Progress, read_progress
from monitor.store.series import series_of_model
from monitor.types import MINUTE_MILLIS
from monitor.windows.spans import SPANS, ScaleProgress, compactable_before, settled_until
from monitor.windows.watermark import WatermarkRules

BUCKETS_AT_ONCE = 50


class Compactor:
    """Compacts models again and again; remembers how far it has come, so that a round reads what is new.

    What a late delta left behind is found by a new compactor: one is made when the process starts and every hour.
    """

    def __init__(self, rules: WatermarkRules) -> None:
        self._rules = rules
        self._done: dict[tuple[int, int], int] = {}

    def compact(self, engine: sa.Engine, applied: AppliedModel, *, watermark: int) -> int:
        """Merge every span of *applied* that is complete under *watermark* (ms); return how many rows were replaced."""
        replaced = 0
        sizes = {each.cells_id: each.layout.size for each in applied.cells}
        for span in SPANS:
            with engine.connect() as connection:
                ranges = self._ranges(connection, applied, span=span, watermark=watermark)
            while ranges:
                with engine.begin() as connection:
                    buckets = buckets_to_merge(connection, ranges, span=span, limit=BUCKETS_AT_ONCE)
                    merged = sum(
                        merge_bucket(connection, each, span=span, size=sizes[each.cells_id]) for each in buckets
                    )
                replaced += merged
                # Nothing merged though there is something: another process has these rows and does it.
                if len(buckets) < BUCKETS_AT_ONCE or not merged:
                    break
            for each in ranges:
                self._done[(each.series_id, span)] = each.before
        return replaced

    def _ranges(
        self, connection: sa.Connection, applied: AppliedModel, *, span: int, watermark: int
    ) -> list[SeriesRange]:
        progress = read_progress(connection, applied.model_id)
        size = span * MINUTE_MILLIS
        ranges = []
        for series_id in series_of_model(connection, applied.model_id):
            before = series_compactable_before(
                applied, progress, series_id=series_id, span=span, watermark=watermark, rules=self._rules
            )
            before = before // size * size
            since = self._done.get((series_id, span), 0)
            if before > since:
                ranges.append(SeriesRange(series_id, since, before))
        return ranges


def series_compactable_before(
    applied: AppliedModel,
    progress: Mapping[tuple[int, int], Progress],
    *,
    series_id: int,
    span: int,
    watermark: int,
    rules: WatermarkRules,
) -> int:
    """Return the event time (ms) before which rows of one series may be summed into spans of *span* minutes."""
    settled = []
    for scale in applied.spec.scales:
        known = progress.get((series_id, scale.length))
        until = -1
        if known is not None:
            until = settled_until(
                scale,
                evaluated_until=known.evaluated_until,
                final_until=known.final_until,
                watermark=watermark,
                allowed_lateness=rules.allowed_lateness,
            )
        settled.append(ScaleProgress(scale, until))
    limit = compactable_before(settled, span=span)
    return watermark if limit is None else min(limit, watermark)
