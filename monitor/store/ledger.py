"""The ledger: the sampled predictions, append-only, one partition per week of event time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.store.copy_text import copy_field, copy_lines
from monitor.types import PartitionKey

WEEK_MILLIS = 7 * 86_400_000
_MONDAY = 4 * 86_400_000  # the first Monday after the epoch: 1970-01-05
_LOCK = 7_316_425_902  # advisory lock: two workers that need the same new week make it once
_COLUMNS = (
    "model_id, prediction_hash, version, output, series_ids, event_time, score, label, value,"
    ' topic, partition, "offset", row'
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


def append_predictions(connection: psycopg.Connection, blocks: Sequence[LedgerRows]) -> None:
    """COPY *blocks* into the ledger, whose weeks must be there (`ensure_weeks`)."""
    lines = (line for block in blocks for line in _lines(block))
    copy_lines(connection, f"COPY prediction_ledger ({_COLUMNS}) FROM STDIN", lines)


def _lines(block: LedgerRows) -> list[str]:
    topic, versions, series = copy_field(block.source.topic), _Fields(), _Arrays()
    return [
        f"{block.model_id}\t{h}\t{versions[v]}\t\t{series[s]}\t{t}\t{_number(score)}\t{copy_field(label)}\t"
        f"{_number(value)}\t{topic}\t{block.source.partition}\t{offset}\t0"
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


def week_start(event_time: int) -> int:
    """Return the Monday 00:00 UTC (ms) of the week that holds *event_time* (ms)."""
    return (event_time - _MONDAY) // WEEK_MILLIS * WEEK_MILLIS + _MONDAY


def week_name(start: int) -> str:
    """Return the name of the week's partition: ``prediction_ledger_2026w23``, by the ISO calendar."""
    calendar = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=start)).isocalendar()
    return f"prediction_ledger_{calendar.year:04d}w{calendar.week:02d}"


def week_of_name(name: str) -> int:
    """Return the start (ms) of the week that `week_name` named."""
    year, _, week = name.removeprefix("prediction_ledger_").partition("w")
    return to_millis(datetime.fromisocalendar(int(year), int(week), 1).replace(tzinfo=UTC))


def ensure_weeks(connection: sa.Connection, starts: set[int]) -> None:
    """Make the missing partitions of the weeks at *starts*; the caller commits, before the flush."""
    for start in sorted(starts):
        name = week_name(start)
        if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None:
            continue
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(
            sa.text(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF prediction_ledger"
                f" FOR VALUES FROM ({int(start)}) TO ({int(start + WEEK_MILLIS)})"
            )
        )
