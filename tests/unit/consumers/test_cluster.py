"""Questions about topics: whom the next one is asked after a client got no answer."""

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.kafka.admin import Cluster
from monitor.errors import UnavailableError
from monitor.settings import Settings


class SecondOneAnswers:
    """Clients of which the first never gets an answer again, as one does that knows no broker any more."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, settings: object, *, logger: object) -> SimpleNamespace:
        self.made += 1
        answer = self._silence if self.made == 1 else self._answer
        return SimpleNamespace(list_topics=answer, poll=lambda timeout: 0)

    def _silence(self, *, timeout: float) -> object:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def _answer(self, *, timeout: float) -> object:
        return SimpleNamespace(topics={}, cluster_id="mockCluster1")


def test_after_no_answer_another_client_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is cut off from all brokers for good costs one answer, and one that answers is kept."""
    clients = SecondOneAnswers()
    monkeypatch.setattr("consumers.kafka.admin.AdminClient", clients)
    cluster = Cluster(Settings())
    with pytest.raises(UnavailableError):
        cluster.topics([])
    assert cluster.topics([]) == cluster.topics([]) == {}
    assert clients.made == 2
