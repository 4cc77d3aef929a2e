"""What an accepted rollback changes about who serves, assumed until a deployment event or the stream shows it."""

from collections.abc import Sequence

import sqlalchemy as sa

from alerting.actions.rollback_targets import serving_period
from monitor.deployments import DeploymentEvent, history_until
from monitor.store.actions import action_by_id
from monitor.store.deployments import Deployment, assume_deployments, deployments_history
from monitor.types import ActionKind, Stage


def assumed_deployments(
    history: Sequence[DeploymentEvent], *, from_version: str, to_version: str, at: int, asked_at: int
) -> tuple[Deployment, ...]:
    """Return what follows from a rollback that was accepted *at* (ms): the target in production, a canary out of it.

    A target that stands in production already keeps its share, and the others that share production with it keep
    theirs.
    """
    standing = history_until(history, at=at)
    target, left = serving_period(standing, to_version), serving_period(standing, from_version)
    entered = target is None or target.stage is not Stage.PRODUCTION
    assumed = []
    if entered:
        assumed.append(
            Deployment(version=to_version, stage=Stage.PRODUCTION, event_time=at, assumed_since=min(asked_at, at))
        )
    if left is not None and (not entered or left.stage is Stage.CANARY):
        assumed.append(
            Deployment(version=from_version, stage=Stage.RETIRED, event_time=at, assumed_since=min(asked_at, at))
        )
    return tuple(assumed)


def assume_rollback(connection: sa.Connection, action_id: str, *, now_millis: int) -> None:
    """Write what follows from the action, if it is a rollback; accepted again, it changes nothing."""
    action = action_by_id(connection, action_id)
    if action.kind is not ActionKind.ROLLBACK or action.to_version is None:
        return
    assumed = assumed_deployments(
        deployments_history(connection, action.model_id),
        from_version=action.from_version,
        to_version=action.to_version,
        at=now_millis,
        asked_at=action.decided_at,
    )
    assume_deployments(connection, action.model_id, assumed, action_id=action_id)
