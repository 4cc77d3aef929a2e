"""Every offset since counting began is a record or an explained hole, in the row, in `status` and in `/healthz`."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consumers.worker import run_ingest
from monitor.errors import DriftlineError, RecordsUnaccounted
from monitor.health import Health
from monitor.store.offsets import (
    BrokerPartition,
    PartitionCounters,
    PartitionMove,
    claim_partition,
    move_offset,
    pause_partition,
    read_offset,
)
from monitor.store.partition_repairs import ResumeAt, account_for, resume_partition, unaccounted_partitions
from monitor.types import PartitionKey, StartAt, TopicRole
from tests.models.credit import START, apply_credit_model, encoded, prediction_event
from tests.services.ingest import offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

KEY = PartitionKey("p", 0)
FOUND = BrokerPartition(key=KEY, role=TopicRole.PREDICTIONS, topic_id="one", low=10, high=90)


def move(first: int, to: int, *, epoch: int, records: int, skipped: int = 0) -> PartitionMove:
    return PartitionMove(
        key=KEY,
        epoch=epoch,
        incarnation=0,
        first_offset=first,
        next_offset=to,
        max_event_time=None,
        caught_up=False,
        counters=PartitionCounters(records=records, skipped=skipped),
        recent_bad=None,
    )


@pytest.mark.parametrize(("records", "skipped"), [(19, 0), (21, 0), (19, 2), (0, 0)])
def test_a_move_that_does_not_add_up_is_refused(engine: Engine, records: int, skipped: int) -> None:
    """20 offsets with fewer or more records and holes: nothing is written, and the error says what was found."""
    with engine.begin() as connection:
        row = claim_partition(connection, FOUND, start_at=StartAt.EARLIEST)
        refused = move(10, 30, epoch=row.epoch, records=records, skipped=skipped)
        with pytest.raises(RecordsUnaccounted, match=rf"offsets 10 to 30 with {records} records and {skipped} "):
            move_offset(connection, refused)
        assert read_offset(connection, KEY) == row


def test_moves_over_holes_keep_the_equation(engine: Engine) -> None:
    """Records and holes of every flush are added to the row together with the offset."""
    with engine.begin() as connection:
        row = claim_partition(connection, FOUND, start_at=StartAt.EARLIEST)
        move_offset(connection, move(10, 30, epoch=row.epoch, records=18, skipped=2))
        move_offset(connection, move(30, 31, epoch=row.epoch, records=0, skipped=1))
        row = read_offset(connection, KEY)
    assert (row.first_offset, row.next_offset, row.counters.records, row.counters.skipped) == (10, 31, 18, 3)
    assert row.unaccounted == 0


@pytest.mark.parametrize(("at", "position"), [(ResumeAt.EARLIEST, 40), (ResumeAt.LATEST, 90), (ResumeAt.STORED, 31)])
def test_an_explicit_resumption_rewrites_where_counting_began(engine: Engine, at: ResumeAt, position: int) -> None:
    """Records are counted on; the first offset moves with the jump, so that the equation goes on."""
    with engine.begin() as connection:
        row = claim_partition(connection, FOUND, start_at=StartAt.EARLIEST)
        move_offset(connection, move(10, 31, epoch=row.epoch, records=20, skipped=1))
        pause_partition(connection, KEY, reason="a test")
        resume_partition(connection, KEY.topic, KEY.partition, at=at)
        assert read_offset(connection, KEY).unaccounted == 0
        row = claim_partition(
            connection, replace(FOUND, low=40 if at is ResumeAt.EARLIEST else 20), start_at=StartAt.EARLIEST
        )
        assert (row.next_offset, row.first_offset, row.unaccounted) == (position, position - 21, 0)
        move_offset(connection, move(position, position + 5, epoch=row.epoch, records=5))
        assert unaccounted_partitions(connection) == {}


def test_a_row_that_a_program_of_before_inserted_begins_at_its_claim(engine: Engine) -> None:
    """It knows no first offset; the claim puts in the one with which the equation holds."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO input_offset (topic, partition, role, next_offset, records) VALUES ('p', 0, 'x', 50, 8)"
            )
        )
        connection.execute(sa.text("UPDATE input_offset SET role = 'predictions'"))
        row = claim_partition(connection, FOUND, start_at=StartAt.EARLIEST)
    assert (row.first_offset, row.unaccounted) == (42, 0)


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_a_row_that_does_not_add_up_is_unhealthy_until_written_off(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Somebody repaired the row by hand: health names the partition and the number, `account_for` ends it."""
    apply_credit_model(engine)
    health = Health()
    stop = threading.Event()
    worker = threading.Thread(
        target=run_ingest,
        args=(settings_for(database_url, kafka_broker, topic_names),),
        kwargs={"stop": stop, "health": health},
    )
    worker.start()
    try:
        bodies = [encoded(prediction_event(number, at=START + number)) for number in range(40)]
        produce(kafka_broker, topic_names.predictions, bodies)
        wait_until(lambda: records(engine) == 40)
        wait_until(lambda: health.reason is None)
        with engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE input_offset SET records = records - 3 WHERE records > 0 AND partition = 1")
            )
        wait_until(lambda: health.reason is not None)
        key = PartitionKey(topic_names.predictions, 1)
        assert str(health.reason).startswith(
            f"{key}: 3 offsets were passed without a record counted or a hole explained"
        )
        with engine.begin() as connection:
            assert account_for(connection, key) == 3
        wait_until(lambda: health.reason is None)
    finally:
        stop.set()
        worker.join(30)
    assert [row.unaccounted for row in offsets_of(engine, topic_names.predictions)] == [0] * 4
    with engine.begin() as connection, pytest.raises(DriftlineError, match="there are: none"):
        account_for(connection, key)
