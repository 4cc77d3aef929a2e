"""The tables of Driftline's state, as SQLAlchemy Core; migrations produce exactly these."""

from monitor.store.schema.columns import metadata
from monitor.store.schema.counts import (
    dead_letter,
    dead_letter_count,
    dedup,
    deployment,
    discovered_model,
    flush,
    input_offset,
    model_intake,
    pane,
    unseen_value,
)
from monitor.store.schema.decisions import (
    action,
    endpoint,
    evaluated_until,
    evaluation,
    incident,
    outbox,
    performance_evaluation,
    transition,
)
from monitor.store.schema.models import cells, configuration, live_block, model, reference, series, spec
from monitor.store.schema.truths import joined, performance_due, performance_pane, prediction_ledger, truth, truth_inbox

__all__ = [
    "metadata",
    "configuration",
    "model",
    "spec",
    "cells",
    "reference",
    "series",
    "live_block",
    "input_offset",
    "model_intake",
    "flush",
    "dedup",
    "pane",
    "unseen_value",
    "dead_letter",
    "dead_letter_count",
    "discovered_model",
    "deployment",
    "prediction_ledger",
    "truth_inbox",
    "truth",
    "joined",
    "performance_pane",
    "performance_due",
    "evaluation",
    "performance_evaluation",
    "evaluated_until",
    "incident",
    "transition",
    "action",
    "endpoint",
    "outbox",
]
