"""What the database must hold of truths and deployments: their topics read from offset 0, folded and joined slowly.

The counterpart of `tests.oracle.panes`, and as independent: nothing of `consumers` or `monitor.performance` is used.
What joins is recomputed from the ledger of the recount, not from the database's.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from confluent_kafka import Message

from monitor.settings import Settings
from monitor.spec.model import Task
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.schema import (
    dead_letter,
    deployment,
    input_offset,
    joined,
    performance_pane,
    series,
    truth,
    truth_inbox,
)
from tests.oracle.panes import (
    Counted,
    is_future,
    is_sampled,
    partitions_of,
    prediction_digest,
    read_partition,
    well_formed_time,
)

Place = tuple[str, int, int]
"""Topic, partition, offset."""
TruthId = tuple[int, str]
"""Model id and hash of the prediction id."""
COUNTERS = ("records", "counted", "duplicates", "late", "dead", "unsampled")
MINUTE = 60_000
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
AGES = tuple(
    [MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, DAY]
    + [days * DAY for days in (3, 7, 14, 30, 60, 90)]
)  # fmt: skip


@dataclass(kw_only=True)
class CountedTruths:
    """Everything that truths and deployments come to, in a form that two sides can be compared in.

    Attributes:
        partitions: Counters, next offset and largest event time of each partition of both roles.
        dead: Reason of each dead letter.
        waiting: Truths that wait in the inbox; none once everything is joined.
        truths: The truth in force by id: when it was known (ms), its value (None: withdrawn) and its place.
        joined: What each prediction (model id, hash, version) adds: minute (ms), age bucket, correct, counted.
        performance: Labelled and correct predictions by model id, version, segment tag and value, minute, age bucket.
        deployments: Model id, version, event time, stage, traffic and manifest by place.
    """

    partitions: dict[tuple[str, int], dict[str, int | None]] = field(default_factory=dict)
    dead: dict[Place, str] = field(default_factory=dict)
    waiting: int = 0
    truths: dict[TruthId, tuple[int, str | None, Place]] = field(default_factory=dict)
    joined: dict[tuple[int, str, str], tuple[int, int, bool, bool]] = field(default_factory=dict)
    performance: dict[tuple[int, str, str, str, int, int], tuple[int, int]] = field(default_factory=dict)
    deployments: dict[Place, tuple[Any, ...]] = field(default_factory=dict)


def recount_truths(
    engine: sa.Engine,
    bootstrap: str,
    predictions: Counted,
    *,
    truths: tuple[str, ...] = (),
    deployments: tuple[str, ...] = (),
    settings: Settings | None = None,
) -> CountedTruths:
    """Return what the topics *truths* and *deployments* come to, joined with the recounted *predictions*."""
    with engine.connect() as connection:
        models = {(model.key.namespace, model.key.name): model for model in load_configuration(connection).models}
    counted = CountedTruths()
    for topics, take in ((truths, _take_truth), (deployments, _take_deployment)):
        for topic in topics:
            for partition in partitions_of(bootstrap, topic):
                reader = _Reader(counted, models, settings or Settings(), topic, partition)
                for message in read_partition(bootstrap, topic, partition):
                    reader.take(message, take)
                counted.partitions[topic, partition] = dict(reader.tally)
    _join(counted, predictions, {model.model_id: model for model in models.values()})
    return counted


class Refused(Exception):
    """A record that is a dead letter; its text is the reason."""


class _Reader:
    """One partition, record by record; truths and deployments are never late and never duplicates."""

    def __init__(
        self,
        counted: CountedTruths,
        models: dict[tuple[str, str], AppliedModel],
        settings: Settings,
        topic: str,
        partition: int,
    ) -> None:
        self.counted, self.models, self.settings = counted, models, settings
        self.topic, self.partition = topic, partition
        self.tally: dict[str, int | None] = {**dict.fromkeys(COUNTERS, 0), "next_offset": 0, "max_event_time": None}

    def take(self, message: Message, take: Any) -> None:
        place = (self.topic, self.partition, int(message.offset() or 0))
        self.tally["next_offset"] = place[2] + 1
        self.add("records")
        try:
            take(self, place, *self._read(message))
        except Refused as refusal:
            self.add("dead")
            self.counted.dead[place] = str(refusal)

    def add(self, name: str) -> None:
        self.tally[name] = (self.tally[name] or 0) + 1

    def moves_to(self, at: int, message: Message) -> None:
        """Accept the event time *at*, or refuse it as future."""
        if is_future(message, at, self.settings):
            raise Refused("future")
        newest = self.tally["max_event_time"]
        self.tally["max_event_time"] = at if newest is None else max(newest, at)

    def _read(self, message: Message) -> tuple[Message, dict[str, Any], AppliedModel]:
        body = message.value() or b""
        if len(body) > self.settings.max_message_bytes:
            raise Refused("too_large")
        try:
            event = json.loads(body.decode())
            key = (event.get("namespace") or "default", event["model"])
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise Refused("malformed") from error
        if key not in self.models:
            raise Refused("unknown_model")
        return message, event, self.models[key]


def _take_truth(reader: _Reader, place: Place, message: Message, event: dict[str, Any], model: AppliedModel) -> None:
    identity, at = event.get("prediction_id"), well_formed_time(event.get("timestamp"))
    if not isinstance(identity, str) or not 1 <= len(identity.encode()) <= 200 or at is None:
        raise Refused("malformed")
    if "truth" not in event or isinstance(event["truth"], dict | list):
        raise Refused("malformed")
    reader.moves_to(at, message)
    digest = prediction_digest(model, identity)
    if not is_sampled(model, digest):
        reader.add("unsampled")
        return
    reader.add("counted")
    value = None if event["truth"] is None else _truth_text(event["truth"])
    key, truths = (model.model_id, f"{digest:032x}"), reader.counted.truths
    if key not in truths or _rank(at, place) > _rank(truths[key][0], truths[key][2]):
        truths[key] = (at, value, place)


def _take_deployment(
    reader: _Reader, place: Place, message: Message, event: dict[str, Any], model: AppliedModel
) -> None:
    at, traffic = well_formed_time(event.get("timestamp")), event.get("traffic")
    names = (isinstance(event.get("version"), str), event.get("stage") in ("shadow", "canary", "production", "retired"))
    if at is None or not all(names) or not (traffic is None or 0 <= traffic <= 1):
        raise Refused("malformed")
    reader.moves_to(at, message)
    reader.add("counted")
    manifest = None if event.get("manifest") is None else json.dumps(event["manifest"], sort_keys=True)
    reader.counted.deployments[place] = (model.model_id, event["version"], at, event["stage"], traffic, manifest)


def _truth_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rank(at: int, place: Place) -> tuple[int, int, int, str]:
    """Known last wins, then the later offset; partition and topic only make the order total."""
    topic, partition, offset = place
    return at, offset, partition, topic


def _join(counted: CountedTruths, predictions: Counted, models: dict[int, AppliedModel]) -> None:
    """Meet the truth in force of each id with the lowest prediction of that id under each version."""
    by_digest = {key[1]: key for key in counted.truths}  # the hash covers the model
    lowest: dict[tuple[str, str], tuple[tuple[int, int, str], Place]] = {}
    for place, row in predictions.ledger.items():
        topic, partition, offset = place
        rank = (partition, offset, topic)
        if row[0] in by_digest and rank < lowest.get((row[0], row[1]), ((1 << 62,), None))[0]:
            lowest[row[0], row[1]] = (rank, place)
    labelled: Counter[tuple[int, str, str, str, int, int]] = Counter()
    correct: Counter[tuple[int, str, str, str, int, int]] = Counter()
    for (digest, version), (_, place) in lowest.items():
        key = by_digest[digest]
        known_at, value, _ = counted.truths[key]
        _, _, at, _, label, segments = predictions.ledger[place]
        minute, age = at // MINUTE * MINUTE, sum(known_at - at > limit for limit in AGES)
        regression = models[key[0]].spec.task is Task.REGRESSION
        is_correct = value is not None and not regression and label == value
        counted.joined[(*key, version)] = (minute, age, is_correct, value is not None)
        for segment in segments if value is not None else ():
            pane = (key[0], version, *segment, minute, age)
            labelled[pane] += 1
            correct[pane] += is_correct
    counted.performance = {pane: (labelled[pane], correct[pane]) for pane in labelled}


def truths_in_database(engine: sa.Engine) -> CountedTruths:
    """Return what the database holds of truths and deployments; performance panes that came out even are left out."""
    counted = CountedTruths()
    with engine.connect() as connection:
        names = (*COUNTERS, "next_offset", "max_event_time")
        others = sa.select(input_offset).where(input_offset.c.role != "predictions")
        for row in connection.execute(others):
            counted.partitions[row.topic, row.partition] = {name: getattr(row, name) for name in names}
        topics = {topic for topic, _ in counted.partitions}
        for row in connection.execute(sa.select(dead_letter)):
            if row.topic in topics:
                counted.dead[row.topic, row.partition, row.offset] = row.reason
        counted.waiting = int(connection.execute(sa.select(sa.func.count()).select_from(truth_inbox)).scalar_one())
        for row in connection.execute(sa.select(truth)):
            place = (row.topic, row.partition, row.offset)
            counted.truths[row.model_id, _digest(row)] = (row.known_at, row.value, place)
        for row in connection.execute(sa.select(joined)):
            assert row.output == "", "the oracle knows models of one output only"
            key = (row.model_id, _digest(row), row.version)
            counted.joined[key] = (row.minute, row.age_bucket, row.correct, row.counted)
        of_series = sa.select(performance_pane, series).join(series, series.c.id == performance_pane.c.series_id)
        for row in connection.execute(of_series.where(performance_pane.c.labelled != 0)):
            pane = (row.model_id, row.version, row.segment_tag, row.segment_value, row.minute, row.age_bucket)
            counted.performance[pane] = (row.labelled, row.correct)
        for row in connection.execute(sa.select(deployment)):
            manifest = None if row.manifest is None else json.dumps(row.manifest, sort_keys=True)
            place = (row.topic, row.partition, row.offset)
            assert place not in counted.deployments, f"the deployment at {place} is there twice"
            counted.deployments[place] = (row.model_id, row.version, row.event_time, row.stage, row.traffic, manifest)
    return counted


def _digest(row: Any) -> str:
    return str(row.prediction_hash).replace("-", "")
