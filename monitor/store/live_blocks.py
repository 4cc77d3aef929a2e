"""Counts of blocks of live time on the bins of a reference: appended once, read for rolling references."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.arrays import AnyIntegers
from monitor.store.schema import live_block, series
from monitor.windows.pane_codec import decode_counts, encode_counts

BLOCKS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKey:
    """Blocks of one series on the bins of one reference, each *minutes* long."""

    series_id: int
    reference_id: int
    minutes: int


@dataclass(frozen=True, slots=True)
class LiveBlock:
    """One block from *start* (ms) on, its counts by bin and slot of each column."""

    start: int
    counts: AnyIntegers


def newest_block(connection: sa.Connection, key: BlockKey) -> int | None:
    """Return the start (ms) of the last block; None before the first."""
    return connection.execute(sa.select(sa.func.max(live_block.c.start)).where(*_of(key))).scalar()


def append_blocks(connection: sa.Connection, key: BlockKey, blocks: Sequence[LiveBlock]) -> None:
    """Append *blocks*; one that is there stays as it is."""
    if blocks:
        of_key = {"series_id": key.series_id, "reference_id": key.reference_id, "minutes": key.minutes}
        rows = [{**of_key, "start": block.start, "counts": encode_counts(block.counts)} for block in blocks]
        connection.execute(insert(live_block).on_conflict_do_nothing(), rows)


def read_blocks(connection: sa.Connection, key: BlockKey, *, start: int, stop: int, size: int) -> tuple[LiveBlock, ...]:
    """Return the blocks that start in ``[start, stop)``, in order; each has *size* counts."""
    query = (
        sa.select(live_block.c.start, live_block.c.counts)
        .where(*_of(key), live_block.c.start >= start, live_block.c.start < stop)
        .order_by(live_block.c.start)
    )
    return tuple(LiveBlock(row.start, decode_counts(row.counts, size=size)) for row in connection.execute(query))


def drop_old_blocks(connection: sa.Connection, *, before: int) -> int:
    """Delete blocks of any series that start before *before* (ms), `BLOCKS_AT_ONCE` of the oldest; return how many."""
    statement = sa.text(
        "DELETE FROM live_block WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM live_block WHERE start < :before ORDER BY start LIMIT :limit FOR UPDATE SKIP LOCKED))"
    )
    return connection.execute(statement, {"before": before, "limit": BLOCKS_AT_ONCE}).rowcount


def drop_other_blocks(connection: sa.Connection, model_id: int, *, reference_id: int, minutes: int) -> int:
    """Delete a model's blocks on another reference or of another length; return how many. It reads all of them."""
    other = sa.or_(live_block.c.reference_id != reference_id, live_block.c.minutes != minutes)
    of_model = sa.select(series.c.id).where(series.c.model_id == model_id)
    return connection.execute(sa.delete(live_block).where(live_block.c.series_id.in_(of_model), other)).rowcount


def _of(key: BlockKey) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        live_block.c.series_id == key.series_id,
        live_block.c.reference_id == key.reference_id,
        live_block.c.minutes == key.minutes,
    )
