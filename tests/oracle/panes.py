"""What the database must hold: the topic read from offset 0 and counted again, slowly and by other code.

Nothing of `consumers` is used: bodies are read by Python's json, values counted one by one with bisect, identities
compared as they are. Only what is the contract is shared: the cells' layout, the encoding of panes, the settings.
"""

import json
import math
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import xxhash
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, TopicPartition

from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole, Slot
from monitor.settings import Settings
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.schema import cells, dead_letter, input_offset, pane, prediction_ledger, series, unseen_value
from monitor.windows.pane_codec import decode_counts

PaneKey = tuple[int, str, str, str, int, int]
"""Model id, version, segment tag and value, cells id, start of the span (ms)."""
HOUR = 3_600_000
Segments = tuple[tuple[str, str], ...]
LedgerRow = tuple[str, str, int, float | None, str | None, Segments]
"""Hash, version, event time (ms), score, label, and the segments whose series it counts in."""


@dataclass(kw_only=True)
class Counted:
    """Everything ingest makes of prediction topics, in a form that two sides can be compared in.

    Attributes:
        panes: Non-zero counts by their place in the layout's vector; ``events`` and ``sampled`` besides.
        partitions: Records, counted, duplicates, late, dead, extra fields, next offset, largest event time.
        dead: Reason of each dead letter by topic, partition and offset.
        ledger: Hash, version, event time, score, label and series by topic, partition and offset.
        unseen: How often each unseen category occurred, by model id, version, column and hour (ms); exact, for the
            streams of the tests have fewer of them than are kept.
    """

    panes: dict[PaneKey, Counter[int | str]] = field(default_factory=dict)
    partitions: dict[tuple[str, int], dict[str, int | None]] = field(default_factory=dict)
    dead: dict[tuple[str, int, int], str] = field(default_factory=dict)
    ledger: dict[tuple[str, int, int], LedgerRow] = field(default_factory=dict)
    unseen: dict[tuple[int, str, str, int], Counter[str]] = field(default_factory=dict)


def recount_topics(
    engine: sa.Engine, bootstrap: str, *topics: str, settings: Settings | None = None, span_minutes: int = 1
) -> Counted:
    """Return what the prediction *topics* come to, read to their ends; panes summed over *span_minutes*."""
    chosen = settings or Settings()
    with engine.connect() as connection:
        models = {(model.key.namespace, model.key.name): model for model in load_configuration(connection).models}
    result = Counted()
    for topic in topics:
        for partition in partitions_of(bootstrap, topic):
            messages = read_partition(bootstrap, topic, partition)
            _Partition(result, models, chosen, span_minutes, topic, partition).count(messages)
    return result


def partitions_of(bootstrap: str, topic: str) -> list[int]:
    """Return the numbers of the topic's partitions."""
    consumer = _reader(bootstrap)
    try:
        return sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    finally:
        consumer.close()


def read_partition(bootstrap: str, topic: str, partition: int) -> Iterator[Message]:
    """Yield every record of one partition in offset order, up to the end it has now."""
    consumer = _reader(bootstrap)
    try:
        place = TopicPartition(topic, partition)
        low, high = consumer.get_watermark_offsets(place, timeout=30)
        position = low
        consumer.assign([TopicPartition(topic, partition, low)])
        while position < high:
            for message in consumer.consume(10_000, timeout=1):
                assert message.error() is None, message.error()
                position = int(message.offset() or 0) + 1
                if position <= high:
                    yield message
    finally:
        consumer.close()


def _reader(bootstrap: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "oracle", "enable.auto.commit": False})


class _Partition:
    """The three decisions of one partition, record by record."""

    def __init__(
        self,
        counted: Counted,
        models: dict[tuple[str, str], AppliedModel],
        settings: Settings,
        span_minutes: int,
        topic: str,
        partition: int,
    ) -> None:
        self.counted, self.models, self.settings = counted, models, settings
        self.span = span_minutes * 60_000
        self.topic, self.partition = topic, partition
        self.last_seen: dict[tuple[str, ...], int] = {}
        self.largest: int | None = None
        names = ("records", "counted", "duplicates", "late", "dead", "extra_fields")
        self.tally: dict[str, int | None] = dict.fromkeys(names, 0)

    def count(self, messages: Iterable[Message]) -> None:
        next_offset = 0
        for message in messages:
            offset = int(message.offset() or 0)
            next_offset = offset + 1
            self._add("records", 1)
            reason = self._take(message, offset)
            if reason is not None:
                self._add("dead", 1)
                self.counted.dead[self.topic, self.partition, offset] = reason
        self.counted.partitions[self.topic, self.partition] = {
            **self.tally,
            "next_offset": next_offset,
            "max_event_time": self.largest,
        }

    def _add(self, name: str, count: int) -> None:
        self.tally[name] = (self.tally[name] or 0) + count

    def _take(self, message: Message, offset: int) -> str | None:
        """Count one record; return why it is a dead letter, None when it is none."""
        body = message.value() or b""
        if len(body) > self.settings.max_message_bytes:
            return "too_large"
        try:
            event = json.loads(body.decode())
            key = (event.get("namespace") or "default", event["model"])
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return "malformed"
        if key not in self.models:
            return {"park": "parked"}.get(self.settings.unknown_model, "unknown_model")
        at = _well_formed(event)
        if at is None:
            return "malformed"
        if is_future(message, at, self.settings):
            return "future"
        identity = (*key, event["version"], event["prediction_id"])
        before, self.last_seen[identity] = self.last_seen.get(identity), offset
        if before is not None and offset - before <= self.settings.dedup_horizon:
            self._add("duplicates", 1)
            return None
        lateness = (self.settings.disorder_seconds + self.settings.allowed_lateness_seconds) * 1000
        if self.largest is not None and at < self.largest - lateness:
            self._add("late", 1)
            return None
        self.largest = at if self.largest is None else max(at, self.largest)
        self._add("counted", 1)
        self._count_event(event, self.models[key], at, offset)
        return None

    def _count_event(self, event: dict[str, Any], model: AppliedModel, at: int, offset: int) -> None:
        start = at // 60_000 * 60_000
        applied = model.cells_at(start)
        hits = list(_hits(event, applied.layout))
        for column, text in _unseen(event, applied.layout):
            names = self.counted.unseen.setdefault(
                (model.model_id, event["version"], column, at // HOUR * HOUR), Counter()
            )
            names[text] += 1
        known = {c.name for c in applied.layout.columns if c.role is ColumnRole.FEATURE}
        self._add("extra_fields", len(event["features"].keys() - known))
        digest = prediction_digest(model, event["prediction_id"])
        sampled = is_sampled(model, digest)
        segments = tuple(sorted(_segments(event, model)))
        if sampled:
            score = event["prediction"].get("score")
            usable = _is_number(score) and 0 <= score <= 1
            label = (model.spec.truth.negative, model.spec.truth.positive)[score >= 0.5] if usable else None
            row = (f"{digest:032x}", event["version"], at, float(score) if usable else None, label, segments)
            self.counted.ledger[self.topic, self.partition, offset] = row
        for tag, value in segments:
            key = (model.model_id, event["version"], tag, value, applied.cells_id, start // self.span * self.span)
            counts = self.counted.panes.setdefault(key, Counter())
            counts.update(hits)
            counts["events"] += 1
            counts["sampled"] += sampled


def is_future(message: Message, at: int, settings: Settings) -> bool:
    """Return whether the event time *at* (ms) is further ahead of its record than is allowed.

    Where the producer dated the record, the clock counts too. It is read here long after ingest read it, so events must
    be far ahead of both readings or of none.
    """
    kind, dated = message.timestamp()
    bound = dated if kind == TIMESTAMP_LOG_APPEND_TIME else min(dated, time.time_ns() // 1_000_000)
    return at > bound + settings.max_future_seconds * 1000


def prediction_digest(model: AppliedModel, prediction_id: str) -> int:
    """Return the 128-bit hash that stands for a prediction id of a model."""
    return xxhash.xxh3_128_intdigest(f"{model.key.namespace}\x1f{model.key.name}\x1f{prediction_id}".encode())


def is_sampled(model: AppliedModel, digest: int) -> bool:
    """Return whether predictions and truths of this id are kept."""
    return digest < int(model.spec.sample_rate * (1 << 128))


def _well_formed(event: dict[str, Any]) -> int | None:
    """Return the event time (ms), None when the event breaks a rule."""
    for name in ("prediction_id", "version"):
        if not isinstance(event.get(name), str) or not 1 <= len(event[name].encode()) <= 200:
            return None
    if not isinstance(event.get("features"), dict) or not isinstance(event.get("prediction"), dict):
        return None
    return well_formed_time(event.get("timestamp"))


def well_formed_time(at: Any) -> int | None:
    """Return an event's time in epoch milliseconds, None when it is no time with a zone."""
    if isinstance(at, int) and not isinstance(at, bool):
        return at
    try:
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)


def _segments(event: dict[str, Any], model: AppliedModel) -> Iterator[tuple[str, str]]:
    yield "", ""
    for segment in model.spec.segments:
        value = (event.get("tags") or {}).get(segment.tag)
        if value is not None:
            yield segment.tag, value if value in segment.values else "other"


def _value(event: dict[str, Any], column: ColumnCells) -> Any:
    if column.role is ColumnRole.FEATURE:
        return event["features"].get(column.name)
    if column.role is ColumnRole.LATENCY:
        return event.get("latency_ms")
    return event["prediction"].get(column.role.value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unseen(event: dict[str, Any], layout: CellsLayout) -> Iterator[tuple[str, str]]:
    for column in layout.columns:
        value = _value(event, column)
        if column.kind is ColumnKind.CATEGORICAL and value is not None and _text(value) not in column.categories:
            yield column.name, _text(value)


def _hits(event: dict[str, Any], layout: CellsLayout) -> Iterator[int]:
    for column, span in zip(layout.columns, layout.spans, strict=True):
        value = _value(event, column)
        if value is None:
            yield span.slots + Slot.MISSING
        elif column.kind is ColumnKind.CATEGORICAL:
            text = _text(value)
            place = column.categories.index(text) if text in column.categories else None
            yield span.slots + Slot.UNSEEN if place is None else span.start + place
        elif not _is_number(value) or _breaks_its_rule(column, value):
            yield span.slots + Slot.INVALID
        else:
            yield from numeric_hits(column, span.start, span.slots, float(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _breaks_its_rule(column: ColumnCells, value: float) -> bool:
    if column.role is ColumnRole.SCORE:
        return not 0 <= value <= 1
    return column.role is ColumnRole.LATENCY and value < 0


def numeric_hits(column: ColumnCells, start: int, slots: int, value: float) -> Iterator[int]:
    if value < column.far_low:
        yield slots + Slot.FAR_LOW
    if value > column.far_high:
        yield slots + Slot.FAR_HIGH
    if bisect_left(column.edges, value) == 0 and value != column.edges[0]:
        yield slots + Slot.BELOW
    elif value > column.maximum:
        yield slots + Slot.ABOVE
    else:
        yield start + bisect_right(column.edges, value) - 1


def counted_in_database(engine: sa.Engine, *, span_minutes: int = 1) -> Counted:
    """Return what the database holds of prediction topics; panes summed over *span_minutes*."""
    counted, span = Counted(), span_minutes * 60_000
    with engine.connect() as connection:
        sizes = _layout_sizes(connection)
        for row in connection.execute(sa.select(pane, series).join(series, series.c.id == pane.c.series_id)):
            assert row.span <= span_minutes, "compacted further than compared"
            key = (
                row.model_id,
                row.version,
                row.segment_tag,
                row.segment_value,
                row.cells_id,
                row.start // span * span,
            )
            counts = counted.panes.setdefault(key, Counter())
            vector = decode_counts(row.counts, size=sizes[row.cells_id])
            counts.update({int(place): int(vector[place]) for place in vector.nonzero()[0]})
            counts["events"] += row.events
            counts["sampled"] += row.sampled
        for row in connection.execute(sa.select(input_offset).where(input_offset.c.role == "predictions")):
            names = ("records", "counted", "duplicates", "late", "dead", "extra_fields")
            also = ("next_offset", "max_event_time")
            counted.partitions[row.topic, row.partition] = {name: getattr(row, name) for name in (*names, *also)}
        of_predictions = {topic for topic, _ in counted.partitions}
        for row in connection.execute(sa.select(dead_letter)):
            if row.topic in of_predictions:
                counted.dead[row.topic, row.partition, row.offset] = row.reason
        for row in connection.execute(
            sa.select(unseen_value, series).join(series, series.c.id == unseen_value.c.series_id)
        ):
            assert row.segment_tag == "", "segments have no names of their own"
            assert row.other == 0, "more unseen values than the oracle can compare"
            values = counted.unseen.setdefault((row.model_id, row.version, row.column_name, row.hour), Counter())
            values.update(dict(row.counts))
        segments = {row.id: (row.segment_tag, row.segment_value) for row in connection.execute(sa.select(series))}
        for row in connection.execute(sa.select(prediction_ledger)):
            place = (row.topic, row.partition, row.offset)
            assert place not in counted.ledger, f"{place} is in the ledger twice"
            digest = str(row.prediction_hash).replace("-", "")
            of_series = tuple(sorted(segments[series_id] for series_id in row.series_ids))
            counted.ledger[place] = (digest, row.version, row.event_time, row.score, row.label, of_series)
    return counted


def _layout_sizes(connection: sa.Connection) -> dict[int, int]:
    models = load_configuration(connection).models
    sizes = {cell.cells_id: cell.layout.size for model in models for cell in model.cells}
    assert set(connection.execute(sa.select(cells.c.id)).scalars()) == set(sizes)
    return sizes
