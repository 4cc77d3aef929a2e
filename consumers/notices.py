"""What the operator should know although counting goes on: models in trouble, records of nobody."""

from collections.abc import Iterable

import structlog

from consumers.dead_letter_limit import DeadLetterLimit
from consumers.partition import PartitionState
from monitor.store.configuration import Configuration

log = structlog.get_logger()


def intake_notices(states: Iterable[PartitionState], configuration: Configuration, limit: DeadLetterLimit) -> list[str]:
    """Return a sentence for each unreadable spec, each model that stands still in one of *states*, and each of these
    with too many records that no model can be blamed for."""
    found = [model.problem for model in configuration.unreadable]
    names = configuration.names
    for state in sorted(states, key=lambda state: state.key):
        for model_id, reason in sorted(state.intakes.stopped.items()):
            model = names.get(model_id, model_id)
            found.append(f"{model}: stopped in {state.key}: {reason}; then run `driftline models resume {model}`")
        notice = state.notice(limit)
        if notice is not None:
            found.append(notice)
    return found


def say_stopped(state: PartitionState, configuration: Configuration) -> None:
    """Log the models whose stop in *state* was flushed just now, before it counts as stored."""
    for row in state.intakes.unstored():
        if row.stopped_reason is not None:
            model = configuration.names.get(row.model_id, row.model_id)
            log.error("model.stopped", model=str(model), partition=str(state.key), reason=row.stopped_reason)
