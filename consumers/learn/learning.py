"""Reads the predictions' topics for one model's events in a span of event time, and makes them a table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pyarrow as pa

from consumers.dead_letters import MessageBodies, message_bodies
from consumers.decode.event_heads import EventHead, event_heads
from consumers.identities import identity_hashes, prediction_digests
from consumers.kafka.consumer import Message
from consumers.learn.sample import EventSample, SampledEvent, event_table
from consumers.learn.spec_inference import guessed_spec
from consumers.learn.topic_reader import TopicLog
from consumers.records import Record, RecordBatch, batches_by_role
from monitor.settings import Settings
from monitor.spec.model import ModelSpec
from monitor.types import ModelKey, PartitionKey, TopicRole

OnProgress = Callable[[int, int], None]
"""(records read, records there are)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnRequest:
    """Which events to learn from; moments in epoch milliseconds of event time.

    Attributes:
        version: None: of every version.
        start, end: Events in ``[start, end)``; None: from the first, to the last.
        last: Instead of *start*: this many ms before the newest event of the topics.
        read_at: The clock when they are read, which events may be no further ahead of than of their record's timestamp;
            None: no such bound.
        rows: At most so many; of more, a sample in which each has the same chance.
        spec: How they are decoded; None: guessed from them.
    """

    model: ModelKey
    topics: tuple[str, ...]
    rows: int
    version: str | None = None
    start: int | None = None
    end: int | None = None
    last: int | None = None
    read_at: int | None = None
    spec: ModelSpec | None = None


@dataclass(slots=True, kw_only=True)
class Census:
    """Counts of the records that were read, by what became of them.

    Attributes:
        versions: Events of the model in the stretch of time, by version, repeated ones too.
        other_models: Events of others, by model.
        other_times: Events of the model before or after.
        refused: Records that are no prediction event, or from the future; with the first one's sentence.
        newest: Event time (ms) of the model's newest event that was read.
        newest_of_all: Of the newest event in the topics, of whatever model; looked up where none is wanted.
    """

    read: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    other_models: dict[str, int] = field(default_factory=dict)
    other_times: int = 0
    refused: int = 0
    first_refusal: str = ""
    newest: int | None = None
    newest_of_all: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedEvents:
    """The table (see `consumers.learn.sample`), what it was decoded with, and what became of the records.

    Attributes:
        spec: None where there are no events and none was given.
        start, end: The stretch of event time that was asked for, as far as it was limited.
        whole: Every event that was found is a row.
    """

    table: pa.Table
    spec: ModelSpec | None
    census: Census
    start: int | None
    end: int | None
    whole: bool


def learn_events(
    settings: Settings, request: LearnRequest, *, source: str, on_progress: OnProgress = lambda _read, _all: None
) -> LearnedEvents:
    """Return the events that *request* wants, each identity once; an empty table where there are none.

    The same log gives the same table. Kafka's timestamps only say where to begin: an event may be `max_future` ahead
    of its record's, not more, or ingest refuses it. A partition is left once its events are so far past the end that
    ingest would call what is missing late.

    Raises:
        UnavailableError: The broker does not answer, or a topic is missing.
        SpecError: No spec was given, and what the events hold cannot be guessed.
    """
    log = TopicLog(settings, request.topics)
    try:
        start = request.start
        if request.last is not None:
            newest = _newest_event(log, settings, read_at=request.read_at)
            start = None if newest is None else newest - request.last
        reading = _Reading(settings, request, start)
        _read_all(log, reading, settings, on_progress)
        if not reading.sample.offered:
            reading.census.newest_of_all = _newest_event(log, settings, read_at=request.read_at)
    finally:
        log.close()
    events, spec, table = reading.sample.events(), request.spec, pa.table({})
    if events:
        spec = spec or guessed_spec((event.body for event in events), key=request.model, source=source)
        decoded = event_table(events, spec)
        table = decoded.table
        for refusal in decoded.refused.values():
            reading.refuse(refusal.sentence)
    return LearnedEvents(
        table=table,
        spec=spec,
        census=reading.census,
        start=start,
        end=request.end,
        whole=reading.sample.is_whole,
    )


def _newest_event(log: TopicLog, settings: Settings, *, read_at: int | None) -> int | None:
    """Return the largest event time (ms) in the tails of the partitions, of whatever model; None without events."""
    newest = None
    for messages in log.read(log.tails()):
        batch, bodies = _unpacked(messages, settings)
        for row, head in enumerate(event_heads(bodies.contents, bodies.namespaces)):
            if isinstance(head, EventHead) and not _is_future(head, batch, row, settings, read_at):
                newest = head.at if newest is None else max(newest, head.at)
    return newest


def _read_all(log: TopicLog, reading: "_Reading", settings: Settings, on_progress: OnProgress) -> None:
    since = None if reading.start is None else reading.start - settings.max_future_seconds * 1000
    stretches = log.stretches(since=since)
    records = sum(stretch.stop - stretch.start for stretch in stretches.values())
    for messages in log.read(stretches, finished=reading.is_past):
        reading.take(messages)
        on_progress(reading.census.read, records)
    on_progress(records, records)


class _Reading:
    """One pass over the records: what becomes of each, and the sample."""

    def __init__(self, settings: Settings, request: LearnRequest, start: int | None) -> None:
        self.start = start
        self.sample = EventSample(request.rows)
        self.census = Census()
        self._settings = settings
        self._request = request
        self._newest: dict[PartitionKey, int] = {}
        self._lateness = (settings.allowed_lateness_seconds + settings.disorder_seconds) * 1000

    def is_past(self, key: PartitionKey) -> bool:
        """Return whether all that is still wanted of this partition would be late."""
        end, newest = self._request.end, self._newest.get(key)
        return end is not None and newest is not None and newest >= end + self._lateness

    def take(self, messages: list[Message]) -> None:
        """Count *messages* and offer what is wanted of them to the sample."""
        self.census.read += len(messages)
        batch, bodies = _unpacked(messages, self._settings)
        wanted: list[tuple[int, EventHead]] = []
        for row, head in enumerate(event_heads(bodies.contents, bodies.namespaces)):
            if row in bodies.refused:
                self.refuse(bodies.refused[row].sentence)
            elif isinstance(head, str):
                self.refuse(head)
            elif _is_future(head, batch, row, self._settings, self._request.read_at):
                self.refuse("timestamp: expected one ahead of neither its record's nor the clock, found the future")
            elif self._is_wanted(head, batch.partitions[batch.codes[row]]):
                wanted.append((row, head))
        if not wanted:
            return
        digests = prediction_digests(self._request.model, [head.prediction_id for _, head in wanted])
        hashes = identity_hashes(digests, [head.version for _, head in wanted]).tolist()
        for (row, _), identity in zip(wanted, hashes, strict=True):
            source = batch.partitions[batch.codes[row]]
            namespace = bodies.namespaces[row] if bodies.namespaces is not None else ""
            body = bodies.contents[row]
            self.sample.offer(identity, SampledEvent(source, int(batch.offsets[row]), body, namespace))

    def refuse(self, sentence: str) -> None:
        """Count a record that is no event, and remember the first one's *sentence*."""
        self.census.refused += 1
        self.census.first_refusal = self.census.first_refusal or sentence

    def _is_wanted(self, head: EventHead, source: PartitionKey) -> bool:
        request, census = self._request, self.census
        self._newest[source] = max(self._newest.get(source, head.at), head.at)
        if head.model != request.model:
            name = str(head.model)
            census.other_models[name] = census.other_models.get(name, 0) + 1
            return False
        census.newest = head.at if census.newest is None else max(census.newest, head.at)
        if (self.start is not None and head.at < self.start) or (request.end is not None and head.at >= request.end):
            census.other_times += 1
            return False
        census.versions[head.version] = census.versions.get(head.version, 0) + 1
        return request.version is None or head.version == request.version


def _unpacked(messages: list[Message], settings: Settings) -> tuple[RecordBatch, MessageBodies]:
    roles = {str(message.topic()): TopicRole.PREDICTIONS for message in messages}
    # The client's messages answer what is needed of a record; its type stubs allow more.
    (batch,) = batches_by_role(cast("list[Record]", messages), roles)
    return batch, message_bodies(batch, max_message_bytes=settings.max_message_bytes)


def _is_future(head: EventHead, batch: RecordBatch, row: int, settings: Settings, read_at: int | None) -> bool:
    """Return whether *head* is ahead of its record, or of the clock: its producer's dates event and record alike."""
    bound = int(batch.timestamps[row]) if read_at is None else min(int(batch.timestamps[row]), read_at)
    return head.at > bound + settings.max_future_seconds * 1000
