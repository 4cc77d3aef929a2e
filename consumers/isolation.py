"""Isolates the models whose rows the database refuses, by writing each model's part alone and rolling it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.flush import Flusher
from consumers.model_intake import IntakeStop
from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from monitor.errors import RefusedByDatabaseError
from monitor.types import ModelKey


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """A model whose part of a batch is refused also when it is written alone, and the database's words."""

    model_id: int
    words: str


def stop_refused_models(
    flusher: Flusher,
    pending: PendingCounts,
    states: Sequence[PartitionState],
    *,
    names: Mapping[int, ModelKey],
    generation: int,
) -> bool:
    """Stop each model whose rows the database refuses in the partitions *states*; return whether any is new.

    When it is, the raw records are to be counted again: those of the model are dead letters then.

    Raises:
        ConfigurationChanged, UnavailableError: As of a flush.
    """
    refused = [
        model
        for model in refused_models(flusher, pending, names=names, generation=generation)
        if any(state.intakes.reason(model.model_id) is None for state in states)
    ]
    for model in refused:
        reason = f"the database refuses what is counted of it: {model.words}"
        for state in states:
            state.intakes.stop(model.model_id, IntakeStop(reason, state.stored.max_event_time or 0))
    return bool(refused)


def refused_models(
    flusher: Flusher, pending: PendingCounts, *, names: Mapping[int, ModelKey], generation: int
) -> tuple[RefusedModel, ...]:
    """Return the models of *pending* that the database refuses on their own; none: no single model is the cause.

    Halves are tried, so that few bad models among many cost few attempts.

    Raises:
        ConfigurationChanged, UnavailableError: As of a flush.
    """

    def tried(model_ids: Sequence[int]) -> tuple[RefusedModel, ...]:
        part = of_models(pending, {model_id: names[model_id] for model_id in model_ids})
        try:
            flusher.try_out(part, generation=generation)
        except RefusedByDatabaseError as error:
            if len(model_ids) == 1:
                return (RefusedModel(model_ids[0], error.words),)
            half = len(model_ids) // 2
            return tried(model_ids[:half]) + tried(model_ids[half:])
        return ()

    lettered = {letter.model for letter in pending.dead_letters}
    model_ids = sorted(models_in(pending) | {model_id for model_id, key in names.items() if key in lettered})
    return tried(model_ids) if model_ids else ()


def models_in(pending: PendingCounts) -> set[int]:
    """Return the ids of every model of which *pending* holds counts, predictions, truths or deployments."""
    return (
        {series.model_id for series, _, _ in pending.panes}
        | {block.model_id for block in pending.predictions}
        | {truth.model_id for truth in pending.truths}
        | {deployment.model_id for deployment in pending.deployments}
    )


def of_models(pending: PendingCounts, chosen: Mapping[int, ModelKey]) -> PendingCounts:
    """Return what *pending* holds of the models *chosen* (id -> key), without the raw records."""
    keys = set(chosen.values())
    return PendingCounts(
        panes={key: pane for key, pane in pending.panes.items() if key[0].model_id in chosen},
        predictions=[block for block in pending.predictions if block.model_id in chosen],
        truths=[truth for truth in pending.truths if truth.model_id in chosen],
        deployments=[deployment for deployment in pending.deployments if deployment.model_id in chosen],
        dead_letters=[letter for letter in pending.dead_letters if letter.model in keys],
        unseen={key: tally for key, tally in pending.unseen.items() if key.series.model_id in chosen},
    )
