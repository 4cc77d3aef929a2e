"""Keeps blocks of live time on the reference's bins, before compaction makes spans that blocks cannot be cut from."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.arrays import AnyIntegers
from monitor.reference.profile import ReferenceProfile
from monitor.reference.rolling import ROLLING_DAYS, CoarseOrder, block_minutes_of
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.live_blocks import (
    BlockKey,
    LiveBlock,
    append_blocks,
    drop_old_blocks,
    drop_other_blocks,
    newest_block,
)
from monitor.store.panes import pane_counts, pane_rows
from monitor.store.references import base_of
from monitor.store.series import series_counted_after
from monitor.types import ALL_SEGMENT
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.count_cache import total
from monitor.windows.pane_codec import decode_counts
from monitor.windows.sliding import PaneRow
from monitor.windows.watermark import WatermarkRules

ROWS_AT_ONCE_MILLIS = 6 * HOUR_MILLIS
KEPT_MILLIS = (ROLLING_DAYS + 1) * DAY_MILLIS


@dataclass(frozen=True, slots=True)
class BaseReference:
    """The frozen reference whose bins live time is counted on, and how long the blocks are."""

    reference_id: int
    profile: ReferenceProfile
    order: CoarseOrder
    minutes: int


def base_reference(connection: sa.Connection, applied: AppliedModel) -> BaseReference:
    """Return the frozen reference in force, or the one that the rolling reference in force stands on."""
    reference_id = base_of(connection, applied.reference_id)
    profile = load_reference(connection, reference_id)
    lengths = tuple(scale.length for scale in applied.spec.scales)
    return BaseReference(reference_id, profile, CoarseOrder(profile), block_minutes_of(profile, lengths=lengths))


class LiveBlockKeeper:
    """Adds the blocks that have become final since the last call; remembers how far it has come."""

    def __init__(self, rules: WatermarkRules) -> None:
        self._rules = rules
        self._bases: dict[int, tuple[int, BaseReference]] = {}
        self._done: dict[BlockKey, int] = {}
        self._cleared: dict[int, tuple[int, int]] = {}  # the base that only blocks of a model are on, as far as we know

    def keep(self, engine: sa.Engine, applied: AppliedModel, *, watermark: int) -> int:
        """Store every block of *applied* that no event can be added to any more; return how many are new.

        Call it before compaction under the same watermark: what may be compacted is final already.
        """
        added = 0
        with engine.connect() as connection:
            base = self._base(connection, applied)
            size = base.minutes * MINUTE_MILLIS
            final = (watermark - self._rules.finality) // size * size
            counted = series_counted_after(connection, applied.model_id, final - KEPT_MILLIS - size)
        for series_id, of_series in counted.items():
            if of_series.key.segment_tag != ALL_SEGMENT:
                continue
            key = BlockKey(series_id=series_id, reference_id=base.reference_id, minutes=base.minutes)
            since = self._since(engine, key, final=final)
            if of_series.hours.stop is not None and of_series.hours.stop <= since:
                continue  # nothing new; what flushes added is in the hours before compaction may touch it
            while since < final:
                stop = min(since // size * size + max(ROWS_AT_ONCE_MILLIS // size, 1) * size, final)
                with engine.begin() as connection:
                    blocks = _blocks(connection, applied, base, series_id=series_id, start=since, stop=stop)
                    append_blocks(connection, key, blocks)
                added += len(blocks)
                self._done[key] = since = stop
        return added

    def drop(self, engine: sa.Engine, applied: AppliedModel, *, watermark: int) -> int:
        """Delete what is too old for a rolling reference or stands on another one; return how many blocks."""
        with engine.begin() as connection:
            base = self._base(connection, applied)
            dropped = drop_old_blocks(connection, before=watermark - self._rules.finality - KEPT_MILLIS)
            kept = (base.reference_id, base.minutes)
            if self._cleared.get(applied.model_id) != kept:
                dropped += drop_other_blocks(
                    connection, applied.model_id, reference_id=base.reference_id, minutes=base.minutes
                )
        self._cleared[applied.model_id] = kept
        return dropped

    def _base(self, connection: sa.Connection, applied: AppliedModel) -> BaseReference:
        known = self._bases.get(applied.model_id)
        if known is None or known[0] != applied.spec_version:
            known = (applied.spec_version, base_reference(connection, applied))
            self._bases[applied.model_id] = known
        return known[1]

    def _since(self, engine: sa.Engine, key: BlockKey, *, final: int) -> int:
        size = key.minutes * MINUTE_MILLIS
        oldest = (final - KEPT_MILLIS) // size * size
        if key not in self._done:
            with engine.connect() as connection:
                newest = newest_block(connection, key)
            self._done[key] = oldest if newest is None else newest + size
        return max(self._done[key], oldest)


def _blocks(
    connection: sa.Connection, applied: AppliedModel, base: BaseReference, *, series_id: int, start: int, stop: int
) -> list[LiveBlock]:
    """Return the blocks in ``[start, stop)`` that have events, all of them on the base's cells."""
    size, layout = base.minutes * MINUTE_MILLIS, base.profile.layout
    cells_id = applied.cells_of(layout).cells_id
    by_block: dict[int, list[PaneRow]] = {}
    unusable: set[int] = set()
    for row in pane_rows(connection, series_id=series_id, start=start, stop=stop):
        first, last = row.start // size * size, (row.stop - 1) // size * size
        if first != last or row.cells_id != cells_id:
            unusable.update(range(first, last + size, size))
        else:
            by_block.setdefault(first, []).append(row)
    wanted = {at: rows for at, rows in by_block.items() if start <= at < stop and at not in unusable}
    counts = pane_counts(connection, [row.row_id for rows in wanted.values() for row in rows])

    def decoded(row: PaneRow) -> AnyIntegers:
        return decode_counts(counts[row.row_id], size=layout.size)

    return [
        LiveBlock(at, base.order.coarse(total((decoded(row) for row in rows), size=layout.size)))
        for at, rows in sorted(wanted.items())
        # A compaction of another process came between: it had kept this block before.
        if all(row.row_id in counts for row in rows)
    ]
