"""The four topics of one installation, under names of their own."""

import uuid
from dataclasses import dataclass

from tests.services.kafka import KafkaBroker


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNames:
    """Names of the three input topics and of the internal one."""

    predictions: str
    ground_truth: str
    deployments: str
    wakeups: str

    def all(self) -> tuple[str, str, str, str]:
        return (self.predictions, self.ground_truth, self.deployments, self.wakeups)


def unique_topic_names() -> TopicNames:
    mark = uuid.uuid4().hex[:12]
    return TopicNames(
        predictions=f"predictions-{mark}",
        ground_truth=f"ground-truth-{mark}",
        deployments=f"deployments-{mark}",
        wakeups=f"wakeups-{mark}",
    )


def create_topics(broker: KafkaBroker, names: TopicNames, *, partitions: int) -> None:
    for name in names.all():
        broker.create_topic(name, partitions=partitions)
