"""Wake-ups: which model's they are, whatever its namespace."""

from typing import Any, cast

from consumers.kafka.producer import TopicProducer
from consumers.wakeups import Wakeups
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import ModelKey


class Topic:
    """Records the keys of what is sent."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def send(self, topic: str, *, value: bytes, key: bytes) -> bool:
        self.keys.append(key.decode())
        return True

    def serve(self, seconds: float) -> None:
        """Nothing waits."""


def applied(model_id: int, key: ModelKey) -> AppliedModel:
    unused: Any = None
    return AppliedModel(model_id=model_id, key=key, spec_version=1, spec=unused, reference_id=1, cells=())


def test_a_wake_up_names_the_model_as_the_alerter_does() -> None:
    """`credit` in `eu` is woken as `eu/credit`; before, only models of the namespace `default` ever matched."""
    models = (applied(1, ModelKey("default", "credit")), applied(2, ModelKey("eu", "credit")))
    topic = Topic()
    wakeups = Wakeups(cast(TopicProducer, topic), "wakeups")
    wakeups.set_configuration(Configuration(1, models))
    wakeups.changed({1, 2})
    wakeups.send()
    assert topic.keys == [str(model.key) for model in models] == ["credit", "eu/credit"]
