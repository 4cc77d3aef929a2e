"""Resends dead letters as new records with the same bytes, key and headers: by command, or when a model is applied."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
import structlog

from consumers.kafka.producer import TopicProducer
from monitor.clock import monotonic_seconds
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.dead_letters import StoredDeadLetter, mark_replayed, parked_letters
from monitor.store.outage import named_outage

SEND_SECONDS = 10.0
LETTERS_AT_ONCE = 500
LOOK_SECONDS = 5.0
LOOKING_SECONDS = 60.0  # a flush that began under the configuration before may still park something

log = structlog.get_logger()


def send_letters(producer: TopicProducer, letters: Sequence[StoredDeadLetter], *, timeout_seconds: float) -> int:
    """Send *letters* and wait for the broker to confirm; return how many it did not take."""
    failures = producer.failures
    for stored in letters:
        letter = stored.letter
        headers = [(name, None if value is None else value.encode("latin-1")) for name, value in letter.headers]
        while not producer.send(letter.source.topic, value=letter.value, key=letter.key, headers=headers):
            producer.serve(0.1)
    return producer.flush(timeout_seconds) + producer.failures - failures


class ParkedLetters:
    """Resends parked dead letters once their model is applied; several workers share them, each letter is sent once."""

    def __init__(self, engine: sa.Engine, settings: Settings, topics: Collection[str]) -> None:
        self._engine = engine
        self._settings = settings
        self._topics = sorted(topics)
        self._producer: TopicProducer | None = None  # made when there is something to send: most never have
        self._model_ids: list[int] = []
        self._look_at = self._until = 0.0

    def set_configuration(self, configuration: Configuration) -> None:
        """Set the applied models; dead letters that waited for them are looked for during the next minute."""
        self._model_ids = [model.model_id for model in configuration.models]
        self._look_at = monotonic_seconds()
        self._until = self._look_at + LOOKING_SECONDS

    def send_if_due(self) -> None:
        """Send the next letters if they are due.

        A letter is marked in the transaction that locks it, after the broker took it: who dies in between sends it
        twice, and its identity makes the second one a duplicate.

        Raises:
            UnavailableError: Postgres does not answer.
        """
        now = monotonic_seconds()
        if not self._model_ids or not self._look_at <= now <= self._until:
            return
        with named_outage(self._engine, "sending parked records again"), self._engine.begin() as connection:
            letters = parked_letters(connection, self._model_ids, topics=self._topics, limit=LETTERS_AT_ONCE)
            untaken = self._send(letters)
            if not untaken:
                mark_replayed(connection, [stored.id for stored in letters])
        if letters:
            self._until = now + LOOKING_SECONDS
        if not letters or untaken:
            self._look_at = now + LOOK_SECONDS

    def _send(self, letters: Sequence[StoredDeadLetter]) -> int:
        if not letters:
            return 0
        if self._producer is None:
            self._producer = TopicProducer(self._settings)
        untaken = send_letters(self._producer, letters, timeout_seconds=SEND_SECONDS)
        if untaken:
            log.warning("parked.send_failed", letters=len(letters), untaken=untaken)
        else:
            log.info("parked.resent", letters=len(letters))
        return untaken
