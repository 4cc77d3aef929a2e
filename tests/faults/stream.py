"""Traffic for all three topics and its comparison with the oracle, for the tests of single faults."""

import random
import threading
import time
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine

from monitor.maintain import join_truths
from monitor.maintain.label_join import join_rules
from monitor.store.configuration import load_configuration
from tests.models.credit import START, credit_event, encoded
from tests.oracle.panes import Counted, counted_in_database, recount_topics
from tests.oracle.truths import CountedTruths, recount_truths, truths_in_database
from tests.services.ingest import produce
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

PART = 60
FAR_MILLIS = 40 * 86_400_000  # past the horizon of every truth


def produce_stream(
    broker: KafkaBroker, names: TopicNames, *, first: int, count: int, partitions: int = 4, broken: bool = True
) -> int:
    """Write *count* predictions from number *first* on with their truths and some deployments; return the records.

    Some predictions come twice; truths are corrected, withdrawn, early. *broken*: some records are dead letters.
    """
    draw = random.Random(first)
    predictions, truths, deployments = [], [], []
    for number in range(first, first + count):
        body = credit_event(number, draw)[1]
        predictions += [body] * (1 + (draw.random() < 0.1))
        if broken and draw.random() < 0.02:
            predictions.append(draw.choice((b"{", b"", encoded({"model": "credit"}), encoded({"model": "nobody"}))))
        truths += [encoded(truth) for truth in _truths(number, draw)]
        if number % 50 == 0:
            at = START + number * 100
            version, stage = draw.choice(("1.0", "2.0")), draw.choice(("canary", "production"))
            deployments.append(encoded({"model": "credit", "version": version, "timestamp": at, "stage": stage}))
    draw.shuffle(truths)
    for topic, bodies in (
        (names.ground_truth, truths),
        (names.predictions, predictions),
        (names.deployments, [*deployments, *[b"broken"] * broken]),
    ):
        produce(broker, topic, bodies, partitions=partitions)
    return len(predictions) + len(truths) + len(deployments) + broken


def _truths(number: int, draw: random.Random) -> Iterator[Mapping[str, object]]:
    at = START + number * 100 + draw.randrange(0, 60_000)
    truth = {"prediction_id": f"p-{number}", "model": "credit", "timestamp": at, "truth": draw.choice((0, 1))}
    yield truth
    chance = draw.random()
    if chance < 0.1:
        yield truth
    elif chance < 0.2:
        yield {**truth, "timestamp": at + draw.choice((-1, 0, 1, 90_000)), "truth": draw.choice((0, 1, None))}


class StreamTraffic(threading.Thread):
    """Writes `produce_stream` in small parts, a few hundred records a second, until it is finished."""

    def __init__(self, broker: KafkaBroker, names: TopicNames, *, first: int = 0, broken: bool = True) -> None:
        super().__init__(daemon=True)
        self._broker, self._names, self._first, self._broken = broker, names, first, broken
        self._halt = threading.Event()
        self._written = 0

    def run(self) -> None:
        while not self._halt.wait(0.3):
            self._written += produce_stream(
                self._broker, self._names, first=self._first, count=PART, broken=self._broken
            )
            self._first += PART

    def finish(self) -> int:
        """Stop, and return how many records there are."""
        self._halt.set()
        self.join(60)
        assert not self.is_alive()
        return self._written


def assert_equal_to_topics(engine: Engine, broker: KafkaBroker, names: TopicNames) -> tuple[Counted, CountedTruths]:
    """Join what waits, then recount all three topics from offset 0: the database holds exactly that."""
    now = time.time_ns() // 1_000_000
    for moment in (now, now + FAR_MILLIS):
        _join(engine, now=moment)
    predictions = recount_topics(engine, broker.bootstrap, names.predictions)
    assert counted_in_database(engine) == predictions
    truths = recount_truths(
        engine, broker.bootstrap, predictions, truths=(names.ground_truth,), deployments=(names.deployments,)
    )
    assert truths_in_database(engine) == truths
    return predictions, truths


def _join(engine: Engine, *, now: int) -> None:
    more = True
    while more:
        with engine.begin() as connection:
            more = join_truths(connection, rules=join_rules(load_configuration(connection)), now=now).more
