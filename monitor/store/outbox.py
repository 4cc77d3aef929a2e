"""The outbox: effects committed with their decision, leased, sent, closed with the lease's epoch."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime, to_millis
from monitor.store.action_holds import held_action
from monitor.store.endpoints import is_closed
from monitor.store.rows import value_of, values_of
from monitor.store.schema import action, endpoint, incident, outbox, unanswering_host
from monitor.types import DeliveryState, EffectKind, EndpointRole, Urgency

BREAKER_MILLIS = 60_000  # how long a breaker stays open
CLOCK_TOLERANCE_MILLIS = 5_000

_UNDER_WAY = (DeliveryState.PENDING.value, DeliveryState.SUPERSEDED.value)  # with a lease that runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A row to be sent; *not_after* is wall-clock milliseconds.

    Attributes:
        receiver: Of a message: its name in the spec; None in rows of the program before.
        sequence: Of a message: the number of its first incident's step.
        undelivered_since: Since when (ms) its receiver misses something that it says, where that is older than itself.
    """

    id: str
    kind: EffectKind
    event_type: str
    endpoint_id: int
    incident_id: str | None
    action_id: str | None
    dedupe_key: str
    body: bytes
    not_after: int
    model_id: int | None = None
    receiver: str | None = None
    sequence: int | None = None
    urgency: Urgency = Urgency.OTHER
    undelivered_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An endpoint as it is stored; where that is, the spec of its model says when something is sent.

    Attributes:
        model_id, role, local_name: None in rows of the program before.
        url, secret_env: As the spec said last.
    """

    name: str
    model_id: int | None
    role: EndpointRole | None
    local_name: str | None
    type: str
    url: str | None
    secret_env: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A leased row and the endpoint it is for; only the holder of *epoch* may close it.

    Attributes:
        model_id: Whose row it is; None where neither incident, action nor endpoint says so.
        attempt: Its number, from 1.
        maybe_received: An attempt before this one had no answer, or was cut off.
    """

    effect: Effect
    place: Place
    model_id: int | None
    epoch: int
    attempt: int
    maybe_received: bool

    @property
    def endpoint_name(self) -> str:
        """As people read it."""
        return self.place.name


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePlace:
    """An endpoint that something can be sent to now.

    Attributes:
        host: Scheme, host and port, None where it has none.
        silent: Attempts in a row that the host did not answer.
        acts: It is for the requests of actions.
    """

    endpoint_id: int
    host: str | None
    silent: int
    acts: bool


def append_effects(connection: sa.Connection, effects: Sequence[Effect], *, now_millis: int) -> None:
    """Append the effects, due at once; one whose dedupe key is known is the same decision and not written again."""
    for effect in effects:
        since = None if effect.undelivered_since is None else to_datetime(effect.undelivered_since)
        moments = {
            "next_attempt_at": to_datetime(now_millis),
            "not_after": to_datetime(effect.not_after),
            "undelivered_since": since,
        }
        statement = insert(outbox).values(asdict(effect) | moments)
        connection.execute(statement.on_conflict_do_nothing())


def _set_back(now_millis: int) -> sa.ColumnElement[bool]:
    """The clock was set back since lease and next attempt were written: neither is waited for."""
    written_at = sa.func.coalesce(outbox.c.waits_since, outbox.c.created_at)
    return written_at > to_datetime(now_millis + CLOCK_TOLERANCE_MILLIS)


def is_leased(now_millis: int) -> sa.ColumnElement[bool]:
    """Return the condition that a row is under way."""
    return sa.and_(
        outbox.c.lease_until.is_not(None),
        outbox.c.lease_until >= to_datetime(now_millis),
        ~_set_back(now_millis),
    )


def _due(now_millis: int, *, actions_enabled: bool) -> sa.ColumnElement[bool]:
    """The kill switches count at each attempt: an action that waits for its next one is held until its deadline."""
    now = to_datetime(now_millis)
    may_act = ~held_action(outbox.c.action_id, now_millis=now_millis) if actions_enabled else sa.false()
    return sa.and_(
        outbox.c.state == DeliveryState.PENDING.value,
        sa.or_(outbox.c.next_attempt_at <= now, _set_back(now_millis)),
        ~is_leased(now_millis),
        outbox.c.not_after >= now,
        sa.or_(outbox.c.kind != EffectKind.ACTION.value, may_act),
    )


def _answering(now_millis: int) -> sa.ColumnElement[bool]:
    """The endpoint's breaker is closed and, for what is no action, its host's."""
    host = unanswering_host.alias()
    silent = (
        sa.select(host.c.host)
        .where(
            host.c.host == endpoint.c.host,
            ~is_closed(host.c.broken_until, now_millis=now_millis, longest_millis=BREAKER_MILLIS),
        )
        .correlate(endpoint)
        .exists()
    )
    return sa.and_(
        is_closed(endpoint.c.broken_until, now_millis=now_millis, longest_millis=BREAKER_MILLIS),
        sa.or_(endpoint.c.role == EndpointRole.ACTIONS.value, ~silent),
    )


def due_places(connection: sa.Connection, *, now_millis: int, actions_enabled: bool = True) -> tuple[DuePlace, ...]:
    """Return the endpoints with something to send now and closed breakers, those that wait longest first."""
    rows = connection.execute(
        sa.select(
            endpoint.c.id.label("endpoint_id"),
            endpoint.c.host,
            sa.func.coalesce(unanswering_host.c.failures, 0).label("silent"),
            sa.func.bool_or(outbox.c.kind == EffectKind.ACTION.value).label("acts"),
        )
        .select_from(outbox)
        .join(endpoint, endpoint.c.id == outbox.c.endpoint_id)
        .outerjoin(unanswering_host, unanswering_host.c.host == endpoint.c.host)
        .where(_due(now_millis, actions_enabled=actions_enabled), _answering(now_millis))
        .group_by(endpoint.c.id, unanswering_host.c.failures)
        .order_by(sa.func.min(outbox.c.next_attempt_at), endpoint.c.id)
    )
    return values_of(DuePlace, rows)


def take_lease(
    connection: sa.Connection,
    endpoint_id: int,
    *,
    owner: str,
    now_millis: int,
    lease_millis: int,
    actions_enabled: bool = True,
) -> Lease | None:
    """Lease the endpoint's next due row; None when there is none, or one is under way anywhere.

    The endpoint's row is locked meanwhile, so that at most one delivery per endpoint is under way among all alerters.
    """
    place = connection.execute(
        sa.select(endpoint)
        .where(endpoint.c.id == endpoint_id, _answering(now_millis))
        .with_for_update(key_share=True, skip_locked=True)
    ).one_or_none()
    if place is None or _is_under_way(connection, endpoint_id, now_millis):
        return None
    row = connection.execute(
        sa.select(outbox)
        .where(outbox.c.endpoint_id == endpoint_id, _due(now_millis, actions_enabled=actions_enabled))
        .order_by(outbox.c.urgency, outbox.c.next_attempt_at, outbox.c.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    leased = connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == row.id)
        .values(
            lease_owner=owner,
            lease_epoch=outbox.c.lease_epoch + 1,
            lease_until=to_datetime(now_millis + lease_millis),
            waits_since=to_datetime(now_millis),
            attempts=outbox.c.attempts + 1,
            # A lease that nobody closed: its holder died, perhaps after sending.
            maybe_received=sa.or_(outbox.c.maybe_received, outbox.c.lease_until.is_not(None)),
        )
        .returning(outbox.c.lease_epoch, outbox.c.attempts, outbox.c.maybe_received)
    ).one()
    return Lease(
        effect=effect_of(row),
        place=value_of(Place, place),
        model_id=_model_id(connection, row, place.model_id),
        epoch=leased.lease_epoch,
        attempt=leased.attempts,
        maybe_received=leased.maybe_received,
    )


def _model_id(connection: sa.Connection, row: sa.Row[*tuple[Any, ...]], of_place: int | None) -> int | None:
    """Return whose row it is: the program before may have written it for an endpoint that two models shared."""
    for table, identifier in ((incident, row.incident_id), (action, row.action_id)):
        if identifier is not None:
            return connection.execute(sa.select(table.c.model_id).where(table.c.id == identifier)).scalar()
    return of_place


def _is_under_way(connection: sa.Connection, endpoint_id: int, now_millis: int) -> bool:
    leased = sa.select(outbox.c.id).where(
        outbox.c.endpoint_id == endpoint_id,
        outbox.c.state.in_(_UNDER_WAY),
        is_leased(now_millis),
    )
    return connection.execute(leased.limit(1)).one_or_none() is not None


def close_lease(
    connection: sa.Connection,
    lease: Lease,
    *,
    state: DeliveryState,
    status: int | None,
    error: str | None,
    now_millis: int,
    next_attempt_at: int | None = None,
    sent: bool = True,
    maybe_received: bool = False,
) -> bool:
    """Write what became of the attempt; False when the lease is no longer ours and nothing was written.

    What was superseded while it was under way stays so, unless it was delivered.

    Args:
        sent: False: nothing left this machine, so it does not count as an attempt.
        maybe_received: It had no answer.
    """
    stays = sa.and_(outbox.c.state == DeliveryState.SUPERSEDED.value, sa.literal(state is not DeliveryState.DONE))
    values: dict[str, object] = {
        "state": sa.case((stays, DeliveryState.SUPERSEDED.value), else_=state.value),
        "last_status": status,
        "last_error": error,
        "lease_owner": None,
        "lease_until": None,
        "waits_since": to_datetime(now_millis),
    }
    if next_attempt_at is not None:
        values["next_attempt_at"] = to_datetime(next_attempt_at)
    if state is not DeliveryState.PENDING:
        values["closed_at"] = to_datetime(now_millis)
    if not sent:
        values["attempts"] = outbox.c.attempts - 1
    if maybe_received:
        values["maybe_received"] = True
    changed = connection.execute(
        sa.update(outbox)
        .where(
            outbox.c.id == lease.effect.id,
            outbox.c.lease_epoch == lease.epoch,
            outbox.c.state.in_(_UNDER_WAY),
        )
        .values(**values)
    )
    return changed.rowcount == 1


def retry_now(connection: sa.Connection, places: Collection[tuple[int, str, str]] | None, *, now_millis: int) -> int:
    """Let what waits for its next attempt at these endpoints (model, role, name in the spec; None: all) be tried at
    once; return how many rows.
    """
    waiting = sa.and_(outbox.c.state == DeliveryState.PENDING.value, outbox.c.next_attempt_at > to_datetime(now_millis))
    if places is not None:
        key = sa.tuple_(endpoint.c.model_id, endpoint.c.role, endpoint.c.local_name)
        ids = sa.select(endpoint.c.id).where(key.in_([(model_id, str(role), name) for model_id, role, name in places]))
        waiting = sa.and_(waiting, outbox.c.endpoint_id.in_(ids))
    changed = connection.execute(sa.update(outbox).where(waiting).values(next_attempt_at=to_datetime(now_millis)))
    return int(changed.rowcount)


def effect_of(row: sa.Row[*tuple[Any, ...]]) -> Effect:
    """Return the row of the outbox as it was appended."""
    since = None if row.undelivered_since is None else to_millis(row.undelivered_since)
    return value_of(Effect, row, not_after=to_millis(row.not_after), undelivered_since=since)
