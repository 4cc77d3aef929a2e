"""Endpoints: where notifications and actions of a model go, and whether they and their hosts answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime
from monitor.spec.actions import ReceiverSpec, SecretSource
from monitor.spec.urls import host_of
from monitor.store.schema import endpoint, unanswering_host
from monitor.types import EndpointRole


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """An endpoint as the spec of its model has it.

    Attributes:
        name: As people read it: `model/receivers/name` or `model/actions/kind`; two models may share one.
        local_name: The receiver's name in the spec, or the action's kind.
        receiver: As the spec has it; None of an action, and of what the program before stored.
    """

    name: str
    role: EndpointRole
    local_name: str
    type: str
    url: str | None
    secrets: tuple[SecretSource, ...] = ()
    receiver: ReceiverSpec | None = None

    @property
    def sends_its_secret(self) -> bool:
        """Whether the secret is a key or an address of a product, and not what a webhook is signed with."""
        return self.receiver is not None and not self.receiver.type.signs

    @property
    def host(self) -> str | None:
        """Scheme, host and port of the URL; None without a usable one."""
        return None if self.url is None else host_of(self.url)

    @property
    def secret_env(self) -> str | None:
        """The variable by which the program before signs, if there is one."""
        return next((secret.env for secret in self.secrets if secret.env), None)


_WRITTEN = ("type", "url", "secret_env", "host")


def ensure_endpoints(connection: sa.Connection, specs: Sequence[EndpointSpec], *, model_id: int) -> dict[str, int]:
    """Return the id of each endpoint of one model by name, inserted or brought to what the spec says now.

    Unchanged rows are not written: a delivery may hold their lock.
    """
    stored = _stored(connection, model_id)
    missing = [spec for spec in specs if (spec.role, spec.local_name) not in stored]
    if missing:
        _adopt(connection, missing, model_id=model_id)
        for name in ("{name}", f"{{name}} (model {model_id})"):  # where another model's has the name
            _insert(connection, missing, name=name, model_id=model_id)
        stored = _stored(connection, model_id)
    ids = {}
    for spec in specs:
        row = stored[spec.role, spec.local_name]
        values = {column: getattr(spec, column) for column in _WRITTEN}
        if any(getattr(row, column) != value for column, value in values.items()):
            connection.execute(sa.update(endpoint).where(endpoint.c.id == row.id).values(values))
        ids[spec.name] = row.id
    return ids


def _stored(connection: sa.Connection, model_id: int) -> dict[tuple[str, str], sa.Row]:  # type: ignore[type-arg]  # all columns
    rows = connection.execute(sa.select(endpoint).where(endpoint.c.model_id == model_id))
    return {(row.role, row.local_name): row for row in rows}


def _adopt(connection: sa.Connection, specs: Collection[EndpointSpec], *, model_id: int) -> None:
    """Take over rows that the program before wrote, which knows endpoints by name."""
    for spec in specs:
        connection.execute(
            sa.update(endpoint)
            .where(endpoint.c.name == spec.name, endpoint.c.model_id.is_(None))
            .values(model_id=model_id, role=spec.role.value, local_name=spec.local_name)
        )


def _insert(connection: sa.Connection, specs: Collection[EndpointSpec], *, name: str, model_id: int) -> None:
    rows = [
        {
            "name": name.format(name=spec.name),
            "model_id": model_id,
            "role": spec.role.value,
            "local_name": spec.local_name,
            **{column: getattr(spec, column) for column in _WRITTEN},
        }
        for spec in sorted(specs, key=lambda spec: spec.name)
    ]
    connection.execute(insert(endpoint).on_conflict_do_nothing(), rows)


def note_success(connection: sa.Connection, endpoint_id: int, *, now_millis: int) -> None:
    """Close the endpoint's breaker."""
    values = {"failures": 0, "broken_until": None, "last_success_at": to_datetime(now_millis)}
    connection.execute(sa.update(endpoint).where(endpoint.c.id == endpoint_id).values(values))


def note_failure(connection: sa.Connection, endpoint_id: int, *, limit: int, broken_until: int) -> bool:
    """Count one failure; from the *limit*-th on the breaker is open until *broken_until* (ms). Return whether it is."""
    failures = connection.execute(
        sa.update(endpoint)
        .where(endpoint.c.id == endpoint_id)
        .values(failures=endpoint.c.failures + 1)
        .returning(endpoint.c.failures)
    ).scalar_one()
    if failures < limit:
        return False
    connection.execute(
        sa.update(endpoint).where(endpoint.c.id == endpoint_id).values(broken_until=to_datetime(broken_until))
    )
    return True


def note_answer(connection: sa.Connection, host: str) -> None:
    """Close the host's breaker: it answered, whatever it said."""
    connection.execute(sa.delete(unanswering_host).where(unanswering_host.c.host == host))


def note_silence(connection: sa.Connection, host: str, *, limit: int, broken_until: int) -> bool:
    """Count one attempt without an answer, of any model; return whether it was the *limit*-th or a later one.

    From then on nothing but actions goes to the host until *broken_until* (ms).
    """
    until = to_datetime(broken_until)
    statement = insert(unanswering_host).values(host=host, failures=1, broken_until=until if limit <= 1 else None)
    failures = unanswering_host.c.failures + 1
    counted = statement.on_conflict_do_update(
        index_elements=[unanswering_host.c.host],
        set_={"failures": failures, "broken_until": sa.case((failures >= limit, until))},
    )
    return int(connection.execute(counted.returning(unanswering_host.c.failures)).scalar_one()) >= limit


def is_closed(
    broken_until: sa.ColumnElement[datetime], *, now_millis: int, longest_millis: int
) -> sa.ColumnElement[bool]:
    """Return the condition that a breaker lets attempts through.

    One that is open for longer than *longest_millis* was opened by a clock that was set back since.
    """
    return sa.or_(
        broken_until.is_(None),
        broken_until <= to_datetime(now_millis),
        broken_until > to_datetime(now_millis + longest_millis),
    )
