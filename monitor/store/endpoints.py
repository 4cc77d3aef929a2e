"""Endpoints: where notifications and actions of a model go, and whether they answer."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime
from monitor.store.schema import endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """An endpoint as the spec names it: `model/receivers/name` or `model/actions/kind`."""

    name: str
    type: str
    url: str | None
    secret_env: str | None


def ensure_endpoints(connection: sa.Connection, specs: Iterable[EndpointSpec]) -> dict[str, int]:
    """Return the id of each endpoint by name, inserted or brought to what the spec says now."""
    wanted = sorted(specs, key=lambda spec: spec.name)
    for spec in wanted:
        values = {"type": spec.type, "url": spec.url, "secret_env": spec.secret_env}
        statement = insert(endpoint).values(name=spec.name, **values)
        changed = sa.tuple_(endpoint.c.type, endpoint.c.url, endpoint.c.secret_env).is_distinct_from(
            sa.tuple_(*(statement.excluded[column] for column in values))
        )
        # an unchanged row is not written: a delivery may hold its lock
        connection.execute(
            statement.on_conflict_do_update(index_elements=[endpoint.c.name], set_=values, where=changed)
        )
    names = [spec.name for spec in wanted]
    rows = connection.execute(sa.select(endpoint.c.name, endpoint.c.id).where(endpoint.c.name.in_(names)))
    return {row.name: row.id for row in rows}


def note_success(connection: sa.Connection, endpoint_id: int) -> None:
    """Close the endpoint's breaker."""
    connection.execute(sa.update(endpoint).where(endpoint.c.id == endpoint_id).values(failures=0, broken_until=None))


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
