"""F11: events in any order inside the lateness give the same bytes; later ones are counted as late, and only there."""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.configuration import load_configuration
from monitor.store.engine import make_engine
from tests.faults.test_f12_wrong_clock import at_end
from tests.models.credit import START, apply_model, credit_event, encoded, prediction_event
from tests.oracle.panes import Counted, counted_in_database
from tests.oracle.windows import JudgedWindows, judge, judged_windows
from tests.services.databases import fresh_database
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import create_topics, unique_topic_names
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
EVENTS = 12_000
TOO_LATE = 40
SCALES = {"min_events": 50, "scales": [{"length": "2m", "step": "1m"}, {"length": "10m", "step": "1m"}]}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one order came to, without where in which topic each record stood."""

    counted: Counted
    windows: JudgedWindows
    late: int

    @property
    def sampled(self) -> Counter[tuple[object, ...]]:
        return Counter(self.counted.ledger.values())


def test_any_order_inside_the_lateness_gives_equal_bytes(
    kafka_broker: KafkaBroker, postgres_server: PostgresServer, template_database: str
) -> None:
    """Twenty minutes of events as they happened, shuffled, and backwards; judged in the middle and at the end.

    Over one, three and four partitions and with batches of any size: panes, sample, unseen values and the last revision
    of each window are equal to the byte.
    """
    draw = random.Random(11)
    in_order = [credit_event(number, draw)[1] for number in range(EVENTS)]
    shuffled = random.Random(12).sample(in_order, EVENTS)
    outcomes = [
        count(bodies, kafka_broker, postgres_server, template_database, partitions=partitions, batch_size=batch_size)
        for bodies, partitions, batch_size in ((in_order, 1, 5_000), (shuffled, 3, 701), (in_order[::-1], 4, 90))
    ]
    first = outcomes[0]
    assert len(first.windows.windows) > 100
    assert sum(counts["events"] for key, counts in first.counted.panes.items() if key[2] == "") == EVENTS
    for other in outcomes[1:]:
        assert other.counted.panes == first.counted.panes
        assert other.counted.unseen == first.counted.unseen
        assert other.sampled == first.sampled
        assert other.windows == first.windows
    assert [outcome.late for outcome in outcomes] == [TOO_LATE] * 3


def count(
    bodies: list[bytes],
    broker: KafkaBroker,
    server: PostgresServer,
    template: str,
    *,
    partitions: int,
    batch_size: int,
) -> Outcome:
    """Count *bodies* in this order, then some that are too late; judge after half of them and at last."""
    names = unique_topic_names()
    create_topics(broker, names, partitions=partitions)
    older = START - 2 * 3_600_000
    too_late = [encoded(prediction_event(EVENTS + number, at=older)) for number in range(TOO_LATE)]
    half = len(bodies) // 2
    with fresh_database(server, template=template) as url:
        engine = make_engine(url)
        apply_model(engine, sample_rate=0.1, windows=SCALES)
        settings = settings_for(url, broker, names, batch_size=batch_size, settle_seconds=0, revision_seconds=0)
        with ingesting(settings):
            for part in (bodies[:half], bodies[half:], too_late):
                wanted = records(engine) + len(part)
                produce(broker, names.predictions, part, partitions=partitions)
                wait_until(lambda wanted=wanted: records(engine) == wanted, seconds=90)
                wait_until(lambda: at_end(engine, names.predictions))
                judge_all(engine, settings)
        counted = counted_in_database(engine)
        late = sum(row["late"] or 0 for row in counted.partitions.values())
        outcome = Outcome(
            counted=counted, windows=judged_windows(engine, until=START + 10**10, models={"credit"}), late=late
        )
        engine.dispose()
    return outcome


def judge_all(engine: Engine, settings: Settings) -> None:
    with engine.connect() as connection:
        models = load_configuration(connection).models
    for applied in models:
        judge(engine, applied, settings)
