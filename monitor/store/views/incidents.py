"""One incident as people read it: its steps, what was sent of it, what was asked of other systems."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.actions import IncidentAction
from monitor.store.incidents import IncidentStep
from monitor.store.rows import value_of, values_of
from monitor.store.schema import IS_OPEN, action, endpoint, incident, model, outbox, transition
from monitor.store.unseen_values import unseen_values
from monitor.types import DeliveryState, IncidentKind, IncidentStatus, ModelKey, Tier
from monitor.units import HOUR_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentHead:
    """One incident; window ends in event time, `opened_at` and `changed_at` wall clock, all in ms."""

    id: str
    model: ModelKey
    version: str
    kind: IncidentKind
    status: IncidentStatus
    tier: Tier
    first_end: int
    last_end: int
    resolved_end: int | None
    sentence: str
    opened_at: int
    changed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDelivery:
    """One thing that was sent, or waits to be."""

    id: str
    incident_id: str | None
    event_type: str
    endpoint: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryUnseen:
    """Values of one column that the reference never had, while the incident lasted."""

    column: str
    events: int
    values: FrequentValues


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentStory:
    """Everything about one incident, in the order in which it happened.

    Attributes:
        unseen: Of a data_quality incident, by how many events they are of, the most first.
    """

    incident: IncidentHead
    steps: tuple[IncidentStep, ...]
    actions: tuple[IncidentAction, ...]
    deliveries: tuple[StoryDelivery, ...]
    unseen: tuple[StoryUnseen, ...] = ()


def list_heads(connection: sa.Connection, *, open_only: bool, limit: int) -> tuple[IncidentHead, ...]:
    """Return incidents, the newest change first."""
    query = _heads().order_by(incident.c.changed_at.desc(), incident.c.id).limit(limit)
    if open_only:
        query = query.where(IS_OPEN)
    return tuple(_head(row) for row in connection.execute(query))


def stories_of(connection: sa.Connection, *, id_prefix: str) -> tuple[IncidentStory, ...]:
    """Return every incident whose id begins with *id_prefix*, oldest first."""
    query = _heads().where(sa.cast(incident.c.id, sa.Text).startswith(id_prefix, autoescape=True))
    rows = connection.execute(query.order_by(incident.c.first_end, incident.c.id)).all()
    return tuple(_story(connection, _head(row), model_id=row.model_id) for row in rows)


def actions_of(connection: sa.Connection, incident_id: str) -> tuple[IncidentAction, ...]:
    """Return the incident's actions, refused ones too, as they were decided."""
    rows = connection.execute(
        sa.select(action).where(action.c.incident_id == incident_id).order_by(action.c.decided_at, action.c.id)
    )
    return values_of(IncidentAction, rows)


def deliveries_of(connection: sa.Connection, incident_id: str | None = None) -> tuple[StoryDelivery, ...]:
    """Return what was sent of one incident, or of all of them, in order."""
    query = sa.select(outbox, endpoint.c.name.label("endpoint")).join(endpoint, endpoint.c.id == outbox.c.endpoint_id)
    if incident_id is not None:
        query = query.where(outbox.c.incident_id == incident_id)
    return values_of(StoryDelivery, connection.execute(query.order_by(outbox.c.created_at, outbox.c.id)))


def _heads() -> sa.Select[tuple[object, ...]]:
    return sa.select(incident, model.c.namespace, model.c.name).join(model, model.c.id == incident.c.model_id)


def _head(row: sa.Row[tuple[object, ...]]) -> IncidentHead:
    return value_of(
        IncidentHead,
        row,
        model=ModelKey(row.namespace, row.name),
        opened_at=to_millis(row.opened_at),
        changed_at=to_millis(row.changed_at),
    )


def _story(connection: sa.Connection, head: IncidentHead, *, model_id: int) -> IncidentStory:
    return IncidentStory(
        incident=head,
        steps=_steps(connection, head.id),
        actions=actions_of(connection, head.id),
        deliveries=deliveries_of(connection, head.id),
        unseen=_unseen(connection, head, model_id=model_id),
    )


def _unseen(connection: sa.Connection, head: IncidentHead, *, model_id: int) -> tuple[StoryUnseen, ...]:
    if head.kind is not IncidentKind.DATA_QUALITY:
        return ()
    # The first window may be shorter or longer than an hour; what opened it went on to its end.
    by_column = unseen_values(
        connection, model_id=model_id, version=head.version, since=head.first_end - HOUR_MILLIS, until=head.last_end
    )
    stories = [
        StoryUnseen(column=column, events=summary.total, values=summary) for column, summary in by_column.items()
    ]
    return tuple(sorted(stories, key=lambda story: (-story.events, story.column)))


def _steps(connection: sa.Connection, incident_id: str) -> tuple[IncidentStep, ...]:
    rows = connection.execute(
        sa.select(transition).where(transition.c.incident_id == incident_id).order_by(transition.c.id)
    )
    return values_of(IncidentStep, rows)
