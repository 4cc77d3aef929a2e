"""The deployments' history of a model: which version stood in which stage since when, by events or by assumption."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.rows import values_of
from monitor.store.schema import deployment
from monitor.types import Stage

ASSUMED_TOPIC = "action:"  # and the id: the source of rows that come from no topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """From *event_time* (ms) on, *version* stands in *stage*.

    Attributes:
        traffic: Its share, None where the event gives none.
        assumed_since: None: an event says so. Else it follows from an accepted rollback that was asked for then (ms),
            until an event does.
        contradicted_at: End (ms) of the window in which the prediction stream showed the assumption to be wrong.
    """

    version: str
    stage: Stage
    traffic: float | None = None
    event_time: int
    assumed_since: int | None = None
    contradicted_at: int | None = None

    @property
    def assumed(self) -> bool:
        return self.assumed_since is not None


def by_events_or_assumed() -> sa.ColumnElement[bool]:
    """Select what stands in the table but the assumptions that an event has replaced.

    That is the first one since the rollback was asked for that is about the same version or, where it was assumed to
    be in production, puts any version there.
    """
    event = deployment.alias("event")
    replacing = sa.exists().where(
        event.c.model_id == deployment.c.model_id,
        event.c.assumed_since.is_(None),
        event.c.event_time >= deployment.c.assumed_since,
        sa.or_(
            event.c.version == deployment.c.version,
            sa.and_(event.c.stage == Stage.PRODUCTION.value, deployment.c.stage == Stage.PRODUCTION.value),
        ),
    )
    return sa.or_(deployment.c.assumed_since.is_(None), ~replacing)


def deployments_history(connection: sa.Connection, model_id: int) -> tuple[Deployment, ...]:
    """Return every deployment of the model in order of event time; of equal times in order of arrival."""
    d = deployment.c
    rows = connection.execute(
        sa.select(d.version, d.event_time, d.stage, d.traffic, d.assumed_since, d.contradicted_at)
        .where(d.model_id == model_id, by_events_or_assumed())
        .order_by(d.event_time, d.incarnation, d.topic, d.partition, d.offset)
    )
    return values_of(Deployment, rows)


def assume_deployments(
    connection: sa.Connection, model_id: int, deployments: Sequence[Deployment], *, action_id: str
) -> None:
    """Add *deployments* that follow from an accepted action; those of an action that are there stay as they are."""
    rows = [
        {
            "model_id": model_id,
            **asdict(assumed),
            "stage": assumed.stage.value,
            "topic": f"{ASSUMED_TOPIC}{action_id}",
            "partition": number,
            "offset": 0,
        }
        for number, assumed in enumerate(deployments)
    ]
    if rows:
        connection.execute(insert(deployment).on_conflict_do_nothing(), rows)


def contradict_assumed(connection: sa.Connection, model_id: int, assumed: Deployment, *, at: int) -> None:
    """Note that the predictions up to *at* (ms) show *assumed* to be wrong."""
    connection.execute(
        sa.update(deployment)
        .where(
            deployment.c.model_id == model_id,
            deployment.c.version == assumed.version,
            deployment.c.event_time == assumed.event_time,
            deployment.c.assumed_since == assumed.assumed_since,
        )
        .values(contradicted_at=at)
    )
