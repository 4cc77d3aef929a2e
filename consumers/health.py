"""Health of ingest for /healthz and its log: stopped models and partitions, and how long ago its loop advanced."""

from collections.abc import Iterable, Sequence

import structlog

from consumers.admission import DeadLetterLimit
from consumers.assignment import AssignedPartitions
from consumers.kafka.consumer import InputConsumer
from consumers.partition_state import PartitionState
from monitor.health import Health
from monitor.metrics import PAUSED_PARTITIONS, UNACCOUNTED_PARTITIONS
from monitor.settings import Settings
from monitor.store.configuration import Configuration

log = structlog.get_logger()

STUCK_SECONDS = 15.0  # a loop that takes longer, or a broker silent for longer, is a reason to look


def intake_notices(states: Iterable[PartitionState], configuration: Configuration, limit: DeadLetterLimit) -> list[str]:
    """Return a sentence for each unreadable spec, and of *states* for each stopped model and for too many records of
    no model."""
    notices = [model.problem for model in configuration.unreadable]
    names = configuration.names
    for state in sorted(states, key=lambda state: state.key):
        for model_id, reason in sorted(state.intakes.stopped.items()):
            model = names.get(model_id, model_id)
            notices.append(f"{model}: stopped in {state.key}: {reason}; then run `driftline models resume {model}`")
        notice = state.notice(limit)
        if notice is not None:
            notices.append(notice)
    return notices


def log_stopped(state: PartitionState, configuration: Configuration) -> None:
    """Log the models whose stop in *state* was flushed just now, before it counts as stored."""
    for row in state.intakes.unstored():
        if row.stopped_reason is not None:
            model = configuration.names.get(row.model_id, row.model_id)
            log.error("model.stopped", model=str(model), partition=str(state.key), reason=row.stopped_reason)


class IngestHealth:
    """Reports how ingest is, from what its parts know."""

    def __init__(
        self, settings: Settings, health: Health, partitions: AssignedPartitions, consumer: InputConsumer
    ) -> None:
        self._health = health
        self._partitions = partitions
        self._consumer = consumer
        self._flush_seconds = settings.flush_seconds
        self._limit = DeadLetterLimit(share=settings.dead_letter_share, minimum=settings.dead_letter_minimum)

    def report(self, configuration: Configuration, notices: Sequence[str]) -> None:
        """Report what is wrong with partitions, and *notices* after what the operator should know of models."""
        PAUSED_PARTITIONS.set(len(self._partitions.stopped))
        UNACCOUNTED_PARTITIONS.set(len(self._partitions.unaccounted))
        problems = self._partitions.problems()
        self._health.report(not problems, "; ".join(problems))
        of_models = intake_notices(self._partitions.states.values(), configuration, self._limit)
        self._health.note([*of_models, *notices])

    def loop_advanced(self, now: float, *, all_flushed: bool) -> None:
        """The loop got on at *now* (monotonic seconds), and has nothing left to flush if *all_flushed*."""
        self._health.progress("poll", within_seconds=STUCK_SECONDS)
        if all_flushed:
            self._health.progress("flush", within_seconds=STUCK_SECONDS + self._flush_seconds)
        silence = max(0.0, now - self._consumer.answered_at)
        self._health.progress("answer of the broker", within_seconds=STUCK_SECONDS, seconds_ago=silence)
