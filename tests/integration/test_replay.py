"""`driftline replay`, `topics create` and `dead-letters replay` on a real broker."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, Message, TopicPartition
from sqlalchemy import Engine

from monitor.store.schema import dead_letter
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

START = 1_780_272_000_000  # 2026-06-01T00:00:00Z


def run(
    broker: KafkaBroker, names: TopicNames, url: str, *arguments: str, directory: Path
) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
    settings = {
        "DRIFTLINE_DATABASE_URL": url,
        "DRIFTLINE_KAFKA_BOOTSTRAP": broker.bootstrap,
        "DRIFTLINE_PREDICTIONS_TOPICS": json.dumps([names.predictions]),
        "DRIFTLINE_TRUTHS_TOPICS": json.dumps([names.ground_truth]),
        "DRIFTLINE_DEPLOYMENTS_TOPICS": json.dumps([names.deployments]),
        "DRIFTLINE_WAKEUPS_TOPIC": names.wakeups,
    }
    done = subprocess.run(
        [sys.executable, "-m", "driftline", *arguments],
        env={**kept, **settings},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def records(broker: KafkaBroker, topic: str, *, partitions: int, count: int) -> list[Message]:
    """Return *count* records of *topic* and make sure that there are no more."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    try:
        results: list[Message] = []
        while len(results) < count and (batch := consumer.consume(count - len(results), timeout=20)):
            results += batch
        return results + consumer.consume(1, timeout=0.5)
    finally:
        consumer.close()


@pytest.mark.kafka
def test_rows_become_events_with_their_own_times(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, tmp_path: Path
) -> None:
    """Each row one prediction and one truth, keyed by id; Kafka's timestamp is the event's own."""
    rows = 500
    table = pa.table(
        {"id": [f"p{n}" for n in range(rows)], "amount": [float(n) for n in range(rows)], "p": [0.25] * rows}
    )
    truths = pa.table({"id": [f"p{n}" for n in reversed(range(rows))], "y": [n % 2 for n in reversed(range(rows))]})
    pq.write_table(table, tmp_path / "predictions.parquet")
    pq.write_table(truths, tmp_path / "truths.parquet")
    done = run(
        kafka_broker, topic_names, database_url,
        "replay", "--model", "credit", "--predictions", "predictions.parquet", "--truths", "truths.parquet",
        "--truth", "y", "--id", "id", "--features", "amount", "--score", "p", "--version", "7",
        "--start", "2026-06-01T00:00:00Z", "--every", "1m", "--truth-delay", "6h", "--json", directory=tmp_path,
    )  # fmt: skip
    sent = json.loads(done.stdout)
    assert (sent["predictions"], sent["truths"]) == (rows, rows)
    predictions = records(kafka_broker, topic_names.predictions, partitions=4, count=rows)
    assert len(predictions) == rows
    for prediction in predictions:
        number = int((prediction.key() or b"").decode()[1:])
        event = json.loads(prediction.value() or b"")
        assert prediction.timestamp()[1] == START + number * 60_000
        assert event["features"] == {"amount": float(number)}
        assert (event["model"], event["version"], event["prediction"]) == ("credit", "7", {"score": 0.25})
    truths = records(kafka_broker, topic_names.ground_truth, partitions=4, count=rows)
    assert len(truths) == rows
    for record in truths:
        number = int((record.key() or b"").decode()[1:])
        assert record.timestamp()[1] == START + number * 60_000 + 6 * 3_600_000
        assert json.loads(record.value() or b"")["truth"] == number % 2


@pytest.mark.kafka
def test_rate_is_kept(kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, tmp_path: Path) -> None:
    """1,500 records at 1,000 a second take a second at least: the last 500 wait for their turn."""
    pq.write_table(pa.table({"id": list(range(1500)), "p": [0.5] * 1500}), tmp_path / "p.parquet")
    done = run(
        kafka_broker, topic_names, database_url,
        "replay", "--model", "m", "--predictions", "p.parquet", "--id", "id", "--features", "", "--score", "p",
        "--start", "2026-06-01T00:00:00Z", "--every", "1s", "--rate", "1000/s", "--json", directory=tmp_path,
    )  # fmt: skip
    assert 1.0 <= json.loads(done.stdout)["seconds"] < 20


@pytest.mark.kafka
def test_topics_are_created_once(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, tmp_path: Path
) -> None:
    """`topics create` makes what is missing, dated by the broker, leaves the rest, and says whom that is dated by."""
    new = TopicNames(
        predictions=f"new-{uuid.uuid4().hex[:8]}",
        ground_truth=topic_names.ground_truth,
        deployments=topic_names.deployments,
        wakeups=topic_names.wakeups,
    )
    made = []
    for _ in range(2):
        done = run(
            kafka_broker, new, database_url, "topics", "create", "--partitions", "3", "--json", directory=tmp_path
        )
        topics = json.loads(done.stdout)["topics"]
        made.append({topic["name"]: topic["created"] for topic in topics})
        assert {topic["name"]: topic["timestamp_type"] for topic in topics} == {
            new.predictions: "LogAppendTime",
            new.ground_truth: "CreateTime",
            new.deployments: "CreateTime",
            new.wakeups: None,
        }
    assert made[0][new.predictions] is True
    assert not made[0][new.wakeups]
    assert not any(made[1].values())
    said = run(kafka_broker, new, database_url, "topics", "create", directory=tmp_path).stdout
    assert f"topic {new.ground_truth}: its producers date the records" in said
    assert f"--entity-name {new.deployments} --add-config message.timestamp.type=LogAppendTime" in said
    assert f"topic {new.predictions}:" not in said


@pytest.mark.kafka
def test_a_dead_letter_comes_back_byte_for_byte(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, engine: Engine, tmp_path: Path
) -> None:
    """Bytes, key and headers as they were; sent once; one that was not kept whole stays."""
    body = bytes(range(256))
    with engine.begin() as connection:
        for offset, truncated in ((0, False), (1, True)):
            connection.execute(
                sa.insert(dead_letter).values(
                    topic=topic_names.predictions, partition=0, offset=offset, row=0, key=b"\x00k", value=body,
                    headers=[["content-type", "caf\u00e9"]], size=256, truncated=truncated, reason="unknown_model",
                    sentence="x",
                )
            )  # fmt: skip
    for expected in (1, 0):
        done = run(
            kafka_broker, topic_names, database_url,
            "dead-letters", "replay", "--reason", "unknown_model", "--json", directory=tmp_path,
        )  # fmt: skip
        assert len(json.loads(done.stdout)["sent"]) == expected
    (message,) = records(kafka_broker, topic_names.predictions, partitions=4, count=1)
    assert (message.key(), message.value()) == (b"\x00k", body)
    assert message.headers() == [("content-type", "caf\u00e9".encode("latin-1"))]
