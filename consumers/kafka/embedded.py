"""A Kafka broker inside this process, for the demo."""

from collections.abc import Sequence

from confluent_kafka import Producer

from consumers.kafka.settings import ANSWER_SECONDS


class EmbeddedBroker:
    """librdkafka's mock cluster: a broker inside this process, on the loopback interface, which ends with it.

    Each topic has four partitions and keeps only its newest 5 MiB per partition: producers must watch the lag.
    """

    KEPT_BYTES = 5 << 20

    def __init__(self) -> None:
        self._holder = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._holder.list_topics(timeout=ANSWER_SECONDS).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topics(self, names: Sequence[str]) -> None:
        """Make the topics: being asked for is what makes them."""
        for name in names:
            self._holder.list_topics(name, timeout=ANSWER_SECONDS)
