"""The ledger: the sampled predictions, append-only, one partition per week of event time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa

from monitor.store.copy_text import copy_field, copy_lines
from monitor.store.schema import prediction_ledger
from monitor.store.time_partitions import add_weeks
from monitor.types import PartitionKey

_COLUMNS = (
    "model_id, prediction_hash, version, output, series_ids, event_time, score, label, value,"
    ' topic, partition, "offset", row, incarnation'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRows:
    """Sampled predictions of one model and one partition of a topic, as columns of one length.

    Attributes:
        hashes: XXH3-128 of namespace, model and prediction id, as 32 hexadecimal digits.
        series_ids: Every series that counted the prediction.
        event_times: Epoch milliseconds.
        scores, labels, values: None where the prediction has none.
    """

    model_id: int
    source: PartitionKey
    hashes: Sequence[str]
    versions: Sequence[str]
    series_ids: Sequence[tuple[int, ...]]
    event_times: Sequence[int]
    scores: Sequence[float | None]
    labels: Sequence[str | None]
    values: Sequence[float | None]
    offsets: Sequence[int]


def append_predictions(
    connection: psycopg.Connection, blocks: Sequence[LedgerRows], incarnations: Mapping[PartitionKey, int]
) -> None:
    """COPY *blocks* into the ledger, whose weeks must be there (`ensure_weeks`)."""
    lines = (line for block in blocks for line in _lines(block, incarnations.get(block.source, 0)))
    copy_lines(connection, f"COPY prediction_ledger ({_COLUMNS}) FROM STDIN", lines)


def _lines(block: LedgerRows, incarnation: int) -> list[str]:
    topic, versions, series = copy_field(block.source.topic), _Fields(), _Arrays()
    return [
        f"{block.model_id}\t{h}\t{versions[v]}\t\t{series[s]}\t{t}\t{_number(score)}\t{copy_field(label)}\t"
        f"{_number(value)}\t{topic}\t{block.source.partition}\t{offset}\t0\t{incarnation}"
        for h, v, s, t, score, label, value, offset in zip(
            block.hashes,
            block.versions,
            block.series_ids,
            block.event_times,
            block.scores,
            block.labels,
            block.values,
            block.offsets,
            strict=True,
        )
    ]


def _number(value: float | None) -> str:
    return "\\N" if value is None else repr(value)


class _Fields(dict[str, str]):
    """Escaped texts, each made once."""

    def __missing__(self, text: str) -> str:
        self[text] = copy_field(text)
        return self[text]


class _Arrays(dict[tuple[int, ...], str]):
    """Postgres' array literals, each made once."""

    def __missing__(self, ids: tuple[int, ...]) -> str:
        self[ids] = "{" + ",".join(map(str, ids)) + "}"
        return self[ids]


def ensure_weeks(connection: sa.Connection, starts: set[int]) -> None:
    """Make the missing partitions of the weeks at *starts*; the caller commits, before the flush.

    Maintain makes the coming weeks ahead of time, so that here there is seldom anything to do.
    """
    add_weeks(connection, prediction_ledger, starts)
