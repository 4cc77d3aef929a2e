"""Every order at once: each id has its own order of the same records, sent in steps, joined between the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import sqlalchemy as sa
from confluent_kafka import Producer
from sqlalchemy import Engine

from monitor.maintain import join_truths
from monitor.maintain.label_join import join_rules
from monitor.settings import Settings
from monitor.store.configuration import load_configuration
from monitor.store.schema import performance_pane, series
from monitor.truth_age import age_bucket
from tests.models.credit import START, encoded, prediction_event
from tests.services.ingest import ingesting, records
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

HOUR = 3_600_000
NOW = START + 10**10
HORIZON = 30 * 86_400_000 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One record of an id: a prediction of *version*, or a truth known *hours* after the event."""

    version: str | None = None
    hours: int = 0
    truth: int | None = None

    def body(self, number: int) -> bytes:
        at = START + number * 1000
        if self.version is not None:
            return encoded(prediction_event(number, at=at, version=self.version))
        name = {"prediction_id": f"p-{number}", "model": "credit"}
        return encoded({**name, "timestamp": at + self.hours * HOUR, "truth": self.truth})


def orders(*stories: Sequence[Sent]) -> tuple[tuple[Sent, ...], ...]:
    """Return every order of every story; id n lives through the n-th."""
    return tuple(order for story in stories for order in sorted(set(permutations(story)), key=repr))


def live_through(
    engine: Engine, broker: KafkaBroker, names: TopicNames, settings: Settings, lives: Sequence[Sequence[Sent]]
) -> None:
    """Send step by step what each id lives through; after each step everything is counted, then joined."""
    moment, expected = NOW, 0
    with ingesting(settings):
        for step in range(max(len(life) for life in lives)):
            due = [(number, life[step]) for number, life in enumerate(lives) if step < len(life)]
            _send(broker, names, due)
            expected += len(due)
            wait_until(lambda expected=expected: records(engine) == expected)
            moment += 1000
            join_all(engine, now=moment)
    join_all(engine, now=moment + HORIZON)  # the last look of every truth


def _send(broker: KafkaBroker, names: TopicNames, due: Sequence[tuple[int, Sent]]) -> None:
    """Produce by key, as producers do: copies of a prediction meet in one partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number, sent in due:
        topic = names.ground_truth if sent.version is None else names.predictions
        producer.produce(topic, sent.body(number), key=f"p-{number}".encode(), timestamp=NOW)
    assert producer.flush(60) == 0


def join_all(engine: Engine, *, now: int) -> None:
    """Join until nothing is left, as the maintain role does."""
    more = True
    while more:
        with engine.begin() as connection:
            more = join_truths(connection, rules=join_rules(load_configuration(connection)), now=now).more


def panes(engine: Engine) -> dict[tuple[str, int, int], tuple[int, int]]:
    """Labelled and correct predictions of all tags together by version, minute and age bucket."""
    query = sa.select(series.c.version, performance_pane).join(series, series.c.id == performance_pane.c.series_id)
    with engine.connect() as connection:
        rows = connection.execute(query.where(series.c.segment_tag == "", performance_pane.c.labelled != 0)).all()
    return {(row.version, row.minute, row.age_bucket): (row.labelled, row.correct) for row in rows}


def expected_panes(lives: Sequence[Sequence[Sent]]) -> dict[tuple[str, int, int], tuple[int, int]]:
    """Return what is left when time is over: for each version of an id the truth that was known last, if any."""
    expected: dict[tuple[str, int, int], tuple[int, int]] = {}
    for number, life in enumerate(lives):
        at = START + number * 1000
        truths = sorted((sent.hours, -1 if sent.truth is None else sent.truth) for sent in life if sent.version is None)
        if not truths or truths[-1][1] < 0:
            continue
        hours, truth = truths[-1]
        for version in {sent.version for sent in life if sent.version is not None}:
            key = (version, at // 60_000 * 60_000, int(age_bucket(event_time=at, known_at=at + hours * HOUR)))
            labelled, correct = expected.get(key, (0, 0))
            expected[key] = (labelled + 1, correct + (((number % 100) / 100 >= 0.5) == (truth == 1)))
    return expected


def totals(engine: Engine, topic: str) -> Iterator[tuple[str, int]]:
    """Yield the sums of the counters of *topic*."""
    query = sa.text(
        "SELECT sum(records), sum(counted), sum(duplicates), sum(late), sum(dead) "
        "FROM input_offset WHERE topic = :topic"
    )
    with engine.connect() as connection:
        row = connection.execute(query, {"topic": topic}).one()
    yield from zip(("records", "counted", "duplicates", "late", "dead"), map(int, row), strict=True)
