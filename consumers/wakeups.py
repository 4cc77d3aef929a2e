"""Wake-ups: "look at this model", at most one per model and two seconds; losing or repeating one is harmless."""

import msgspec

from consumers.kafka.producer import TopicProducer
from monitor.clock import monotonic_seconds
from monitor.store.configuration import Configuration
from monitor.types import ModelKey

QUIET_SECONDS = 2.0


class Wakeup(msgspec.Struct, frozen=True, kw_only=True):
    """The message; its key is how the model is written, with its namespace where that is not the default."""

    model_id: int
    namespace: str
    model: str


class Wakeups:
    """Queues wake-ups per model and sends them, rate-limited."""

    def __init__(self, producer: TopicProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._waiting: set[int] = set()
        self._sent_at: dict[int, float] = {}
        self._keys: dict[int, ModelKey] = {}

    def set_configuration(self, configuration: Configuration) -> None:
        """Set the models' names."""
        self._keys = {model.model_id: model.key for model in configuration.models}

    def changed(self, model_ids: set[int]) -> None:
        """Queue wake-ups of models that got new panes."""
        self._waiting |= model_ids

    def send(self) -> None:
        """Send what is due; never blocks, never fails."""
        now = monotonic_seconds()
        for model_id in sorted(self._waiting):
            key = self._keys.get(model_id)
            if key is None or now - self._sent_at.get(model_id, -QUIET_SECONDS) < QUIET_SECONDS:
                continue
            body = msgspec.json.encode(Wakeup(model_id=model_id, namespace=key.namespace, model=key.name))
            if self._producer.send(self._topic, value=body, key=str(key).encode()):
                self._sent_at[model_id] = now
                self._waiting.discard(model_id)
        self._producer.serve(0)
