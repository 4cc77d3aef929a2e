"""What ingest relies on of a broker: a real Kafka, and the one inside the demo's process.

The embedded one gives a second member of a group nothing, so the demo has one ingest worker; how members share
partitions is proven on Kafka alone, in tests/faults/test_f07_rebalance_storm.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer, Message
from consumers.kafka.embedded import EmbeddedBroker
from consumers.kafka.producer import TopicProducer
from consumers.kafka.settings import Rebalance
from consumers.kafka.topics import require_topics
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey, TimestampType
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames, unique_topic_names
from tests.services.waiting import wait_until

PARTITIONS = 4
START = 1_780_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One broker with the topics of one installation."""

    settings: Settings
    names: TopicNames
    broker: EmbeddedBroker | KafkaBroker  # the embedded one lives as long as somebody holds it

    @property
    def embedded(self) -> bool:
        return isinstance(self.broker, EmbeddedBroker)

    @property
    def keys(self) -> frozenset[PartitionKey]:
        return frozenset(PartitionKey(self.names.predictions, number) for number in range(PARTITIONS))

    def key(self, partition: int = 0) -> PartitionKey:
        return PartitionKey(self.names.predictions, partition)

    def send(self, bodies: Sequence[bytes | None], *, partition: int = 0) -> TopicProducer:
        """Write *bodies* to one partition of the predictions, a millisecond apart, and return who wrote them."""
        producer = TopicProducer(self.settings)
        for number, body in enumerate(bodies):
            assert producer.send(
                self.names.predictions,
                value=body,
                key=b"key",
                headers=[("content-type", b"json"), ("none", None)],
                partition=partition,
                timestamp=START + number,
            )
        assert producer.flush(30) == 0
        assert producer.failures == 0
        return producer


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "embedded":
        names, broker = unique_topic_names(), EmbeddedBroker()
        broker.create_topics(names.all())
    else:
        names, broker = request.getfixturevalue("topic_names"), request.getfixturevalue("kafka_broker")
    settings = Settings(
        kafka_bootstrap=broker.bootstrap,
        kafka_group=f"group-{names.predictions}",
        predictions_topics=(names.predictions,),
        truths_topics=(names.ground_truth,),
        deployments_topics=(names.deployments,),
        wakeups_topic=names.wakeups,
    )
    return Case(settings=settings, names=names, broker=broker)


@dataclass
class Member:
    """A member of the group, and everything that happened to it."""

    consumer: InputConsumer
    owned: set[PartitionKey] = field(default_factory=set)
    records: list[Message] = field(default_factory=list)
    ends: dict[PartitionKey, int] = field(default_factory=dict)
    cut: set[PartitionKey] = field(default_factory=set)

    def turn(self) -> None:
        received = self.consumer.consume(1000, timeout_seconds=0.2)
        self.records += received.records
        self.ends |= received.ends
        self.cut |= received.cut

    def offsets(self) -> list[int]:
        return [int(record.offset() or 0) for record in self.records]


@contextmanager
def member(case: Case, *, subscribed: bool = True) -> Iterator[Member]:
    owned: set[PartitionKey] = set()
    rebalance = Rebalance(assigned=owned.update, revoked=owned.difference_update, lost=owned.difference_update)
    joined = Member(InputConsumer(case.settings, rebalance), owned)
    if subscribed:
        joined.consumer.subscribe([case.names.predictions])
    try:
        yield joined
    finally:
        joined.consumer.close()


def turns(*members: Member) -> bool:
    for joined in members:
        joined.turn()
    return True


def test_a_record_is_read_as_it_was_written(case: Case) -> None:
    """Body, tombstone, key, headers, timestamp and place; offsets count from 0; the producer knows the end."""
    producer = case.send([b"first", None, b""], partition=2)
    assert producer.ends == {case.key(2): 3}
    with member(case, subscribed=False) as reader:
        reader.consumer.read_from({case.key(2): 0})
        wait_until(lambda: turns(reader) and case.key(2) in reader.ends, "the end")
    assert [record.value() for record in reader.records] == [b"first", None, b""]
    assert [(record.topic(), record.partition()) for record in reader.records] == [(case.names.predictions, 2)] * 3
    assert reader.offsets() == [0, 1, 2]
    assert [record.timestamp()[1] for record in reader.records] == [START, START + 1, START + 2]
    assert {record.key() for record in reader.records} == {b"key"}
    assert reader.records[0].headers() == [("content-type", b"json"), ("none", None)]
    assert reader.ends == {case.key(2): 3}


def test_the_group_gives_partitions_and_nothing_is_read_before_it_flows(case: Case) -> None:
    """Assigned, not read; flowing from the offset we name; halted, not read; flowing again, from there."""
    case.send([b"%d" % number for number in range(10)])
    with member(case) as reader:
        wait_until(lambda: turns(reader) and reader.owned == case.keys, "all partitions")
        turns(reader, reader)
        assert (reader.records, reader.ends) == ([], {})
        wait_until(lambda: turns(reader) and reader.consumer.start_reading(case.key(), 4), "the partition to flow")
        wait_until(lambda: turns(reader) and case.key() in reader.ends, "the end")
        assert reader.offsets() == [4, 5, 6, 7, 8, 9]
        reader.consumer.stop_reading([case.key()])
        case.send([b"10"])
        turns(reader, reader)
        assert reader.offsets() == [4, 5, 6, 7, 8, 9]
        reader.records.clear()
        wait_until(
            lambda: turns(reader) and reader.consumer.start_reading(case.key(), 8), "the partition to flow again"
        )
        wait_until(lambda: turns(reader) and len(reader.records) == 3, "the rest")
        assert reader.offsets() == [8, 9, 10]


def test_a_paused_partition_goes_on_where_it_was(case: Case) -> None:
    """Nothing is fetched meanwhile, and nothing lost."""
    case.send([b"0"])
    with member(case) as reader:
        wait_until(lambda: turns(reader) and case.key() in reader.owned, "the partition")
        wait_until(lambda: turns(reader) and reader.consumer.start_reading(case.key(), 0), "the partition to flow")
        wait_until(lambda: turns(reader) and reader.offsets() == [0], "the first record")
        reader.consumer.pause([case.key()])
        case.send([b"1", b"2"])
        turns(reader, reader, reader)
        assert reader.offsets() == [0]
        reader.consumer.resume([case.key()])
        wait_until(lambda: turns(reader) and reader.offsets() == [0, 1, 2], "the rest")


def test_a_replaced_client_joins_again_and_reads_from_where_we_say(case: Case) -> None:
    """All partitions are given up before the new one gets them; paused or flowing ones are neither any more."""
    case.send([b"0", b"1", b"2"])
    # the embedded broker waits for the session of the one that left
    case = replace(case, settings=case.settings.model_copy(update={"session_timeout_ms": 6000}))
    with member(case) as reader:
        wait_until(lambda: turns(reader) and reader.owned == case.keys, "all partitions")
        wait_until(lambda: turns(reader) and reader.consumer.start_reading(case.key(), 0), "the partition to flow")
        wait_until(lambda: turns(reader) and reader.offsets() == [0, 1, 2], "the records")
        reader.consumer.pause([case.key()])
        reader.consumer.replace_client()
        assert reader.owned == set()
        reader.records.clear()
        wait_until(lambda: turns(reader) and reader.owned == case.keys, "all partitions again")
        assert reader.records == []
        wait_until(lambda: turns(reader) and reader.consumer.start_reading(case.key(), 1), "it to flow again")
        wait_until(lambda: turns(reader) and reader.offsets() == [1, 2], "the records from there")


@pytest.mark.parametrize("offset", [7, 1_000_000])
def test_an_offset_that_the_log_does_not_hold_is_said(case: Case, offset: int) -> None:
    """Never replaced by another one in silence: the partition is cut."""
    case.send([b"0", b"1"])
    with member(case, subscribed=False) as reader:
        reader.consumer.read_from({case.key(): offset})
        wait_until(lambda: turns(reader) and bool(reader.cut), "word of it")
        assert (reader.cut, reader.records) == ({case.key()}, [])


def test_the_broker_knows_where_a_partition_begins_and_ends(case: Case) -> None:
    """Without joining the group: the first offset and the one after the last."""
    case.send([b"0", b"1", b"2"])
    with member(case, subscribed=False) as reader:
        assert reader.consumer.watermarks(case.key()) == (0, 3)
        assert reader.consumer.watermarks(case.key(1)) == (0, 0)


def test_topics_are_found_by_name(case: Case) -> None:
    """Those that are there, with their partitions; an id only where the broker has such a thing."""
    cluster = Cluster(case.settings)
    topics = cluster.topics([case.names.predictions, case.names.wakeups])
    assert {name: topic.partitions for name, topic in topics.items()} == {
        case.names.predictions: PARTITIONS,
        case.names.wakeups: PARTITIONS,
    }
    ids = {topic.topic_id for topic in topics.values()}
    assert ids == {""} if case.embedded else len(ids - {""}) == 2
    assert cluster.ids([case.names.predictions]) == (
        None if case.embedded else {case.names.predictions: topics[case.names.predictions].topic_id}
    )
    require_topics(case.settings)


def test_who_dates_records_is_known_or_said_to_be_unknown(case: Case) -> None:
    """The embedded broker does not answer for its topics' settings: unknown, never an error."""
    cluster = Cluster(case.settings)
    cluster.topics([case.names.predictions])
    expected = TimestampType.UNKNOWN if case.embedded else TimestampType.CREATE_TIME
    assert cluster.timestamp_types([case.names.predictions]) == {case.names.predictions: expected}


def test_a_broker_that_is_away_is_named() -> None:
    """Of any kind: the address, what was tried and what to do."""
    settings = Settings(kafka_bootstrap="127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9, listing topics"):
        Cluster(settings).topics(["predictions"])


def test_the_embedded_broker_keeps_its_newest_bytes() -> None:
    """5 MiB of each partition, as it promises: what is older is cut, which the demo's pace avoids."""
    broker = EmbeddedBroker()
    broker.create_topics(["predictions"])
    settings = Settings(kafka_bootstrap=broker.bootstrap)
    producer = TopicProducer(settings)
    for _ in range(20):
        assert producer.send("predictions", value=bytes(EmbeddedBroker.KEPT_BYTES // 10), partition=0)
        assert producer.flush(30) == 0
    consumer = InputConsumer(settings, Rebalance(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None))
    low, high = consumer.watermarks(PartitionKey("predictions", 0))
    consumer.close()
    assert high == 20
    assert 9 <= low <= 12
