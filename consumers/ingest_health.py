"""What /healthz of ingest says: partitions that stand still, models to look at, and how long ago the loop got on."""

from collections.abc import Sequence

from consumers.claims import Claims
from consumers.dead_letter_limit import DeadLetterLimit
from consumers.kafka_input import InputConsumer
from consumers.notices import intake_notices
from monitor.health import Health
from monitor.metrics import PAUSED_PARTITIONS, UNACCOUNTED_PARTITIONS
from monitor.settings import Settings
from monitor.store.configuration import Configuration

STUCK_SECONDS = 15.0  # a loop that takes longer, or a broker silent for longer, is a reason to look


class IngestHealth:
    """Says how ingest is, from what its parts know."""

    def __init__(self, settings: Settings, health: Health, claims: Claims, consumer: InputConsumer) -> None:
        self._health = health
        self._claims = claims
        self._consumer = consumer
        self._flush_seconds = settings.flush_seconds
        self._limit = DeadLetterLimit(share=settings.dead_letter_share, minimum=settings.dead_letter_minimum)

    def report(self, configuration: Configuration, notices: Sequence[str]) -> None:
        """Say what is wrong with partitions, what the operator should know of models, and *notices* besides."""
        PAUSED_PARTITIONS.set(len(self._claims.stopped))
        UNACCOUNTED_PARTITIONS.set(len(self._claims.unaccounted))
        problems = self._claims.problems()
        self._health.report(not problems, "; ".join(problems))
        of_models = intake_notices(self._claims.states.values(), configuration, self._limit)
        self._health.note([*of_models, *notices])

    def get_on(self, now: float, *, all_flushed: bool) -> None:
        """The loop got on at *now* (monotonic seconds), and has nothing left to flush if *all_flushed*."""
        self._health.progress("poll", within_seconds=STUCK_SECONDS)
        if all_flushed:
            self._health.progress("flush", within_seconds=STUCK_SECONDS + self._flush_seconds)
        silence = max(0.0, now - self._consumer.heard_at)
        self._health.progress("answer of the broker", within_seconds=STUCK_SECONDS, seconds_ago=silence)
