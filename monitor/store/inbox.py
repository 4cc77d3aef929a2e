"""The inbox: truths as they arrived, for maintain to join with the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from monitor.store.copy_text import copy_field, copy_lines
from monitor.types import PartitionKey

_COLUMNS = 'model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset", incarnation'


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One truth; *value* None withdraws; times are epoch milliseconds; *prediction_hash* 32 hexadecimal digits."""

    model_id: int
    prediction_hash: str
    known_at: int
    value: str | None
    prediction_time: int | None
    source: PartitionKey
    offset: int


def append_truths(
    connection: psycopg.Connection, rows: Iterable[InboxRow], incarnations: Mapping[PartitionKey, int]
) -> None:
    """COPY *rows* into the inbox; *incarnations* of their topics, 0 where there is none."""
    lines = (
        f"{each.model_id}\t{each.prediction_hash}\t{each.known_at}\t{copy_field(each.value)}\t"
        f"{copy_field(None if each.prediction_time is None else str(each.prediction_time))}\t"
        f"{copy_field(each.source.topic)}\t{each.source.partition}\t{each.offset}\t"
        f"{incarnations.get(each.source, 0)}"
        for each in rows
    )
    copy_lines(connection, f"COPY truth_inbox ({_COLUMNS}) FROM STDIN", lines)
