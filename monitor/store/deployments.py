"""The deployments' history of a model: which version stood in which stage since when."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.rows import values_of
from monitor.store.schema import deployment
from monitor.types import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment event: from *event_time* (ms) on, *version* stands in *stage*."""

    version: str
    stage: Stage
    traffic: float | None = None
    event_time: int


def deployments_history(connection: sa.Connection, model_id: int) -> tuple[Deployment, ...]:
    """Return every deployment event of the model in order of event time; of equal times in order of arrival."""
    rows = connection.execute(
        sa.select(deployment.c.version, deployment.c.event_time, deployment.c.stage, deployment.c.traffic)
        .where(deployment.c.model_id == model_id)
        .order_by(
            deployment.c.event_time,
            deployment.c.incarnation,
            deployment.c.topic,
            deployment.c.partition,
            deployment.c.offset,
        )
    )
    return values_of(Deployment, rows)
