"""A small model with receivers and actions, as the alerter loads it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnRole
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel
from monitor.store.schema import deployment
from monitor.types import Stage
from tests.models.insert import insert_model

SECRET_ENV = "STORY_SECRET"

SPEC = """\
model: {model}
namespace: {namespace}
task: binary_classification
reference: credit.profile
columns:
  income: {{kind: numeric, importance: 0.5}}
  region: {{kind: categorical}}
prediction: {{score: true}}
windows:
  scales: {scales}
alerting:
  owner: credit team
  runbook: https://example.org/runbook
  {alerting}
  receivers: [{receivers}]
actions:
  retraining: {retraining}
  rollback: {rollback}
"""


def webhook(name: str, url: str, *, from_tier: str = "warning") -> str:
    return f"{{name: {name}, type: webhook, url: '{url}', secret_env: {SECRET_ENV}, from_tier: {from_tier}}}"


def action(mode: str, url: str, extra: str = "") -> str:
    return f"{{mode: {mode}, url: '{url}', secret_env: {SECRET_ENV}{extra}}}"


def rollback_action(mode: str, url: str, extra: str = "") -> str:
    """Return a rollback's rules where versions that serve together get requests at random."""
    return action(mode, url, f", random_split: true{extra}")


def apply_story(
    engine: sa.Engine,
    *,
    model: str = "credit",
    namespace: str = "default",
    receivers: Sequence[str] = (),
    retraining: str = "{mode: 'off'}",
    rollback: str = "{mode: 'off'}",
    alerting: str = "close_after: 2",
    scales: str = "[{length: 10m, step: 5m}]",
) -> AppliedModel:
    """Apply the model and return it as the alerter loads it."""
    text = SPEC.format(
        model=model,
        namespace=namespace,
        receivers=", ".join(receivers),
        retraining=retraining,
        rollback=rollback,
        alerting=alerting,
        scales=scales,
    )
    layout = CellsLayout(
        columns=(
            ColumnCells(
                name="income",
                kind=ColumnKind.NUMERIC,
                role=ColumnRole.FEATURE,
                edges=(0.0, 1.0),
                points=(False, False),
                maximum=2.0,
            ),
            ColumnCells(
                name="prediction.score",
                kind=ColumnKind.NUMERIC,
                role=ColumnRole.SCORE,
                edges=(0.0, 0.25, 0.5, 0.75),
                points=(False,) * 4,
                maximum=1.0,
            ),
        )
    )
    profile = ReferenceProfile(
        layout=layout,
        rows=100,
        counts_bytes=np.array([50, 50] + [0] * SLOTS + [25] * 4 + [0] * SLOTS, dtype="<i8").tobytes(),
        columns=(
            ColumnReference(name="income", bins=(0, 1)),
            ColumnReference(name="prediction.score", bins=(0, 1, 2, 3)),
        ),
    )
    with engine.begin() as connection:
        return insert_model(connection, text, profile)


def deploy(engine: sa.Engine, applied: AppliedModel, *events: tuple[str, int, Stage]) -> None:
    """Write the deployments' history."""
    with engine.begin() as connection:
        for offset, (version, event_time, stage) in enumerate(events):
            connection.execute(
                sa.insert(deployment).values(
                    model_id=applied.model_id,
                    version=version,
                    event_time=event_time,
                    stage=stage.value,
                    topic="deployments",
                    partition=applied.model_id,
                    offset=offset,
                )
            )


def body_of(content: bytes) -> dict[str, Any]:
    """Return a JSON body."""
    return msgspec.json.decode(content, type=dict[str, Any])
