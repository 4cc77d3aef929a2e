"""Removes a model with everything that is stored of it, in short transactions, while the roles go on.

First its specs go and the generation moves, so that every process stops working for it before its next flush or
round. What one of them had begun may still add rows, so the tables are passed over until the model's own row can go:
the foreign keys say whether that is so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from monitor.errors import UnavailableError
from monitor.store.schema import configuration, metadata, model, series, spec
from monitor.store.specs import lock_configuration
from monitor.types import ModelKey

ROWS_AT_ONCE = 5000
PASSES = 60

_OF_INCIDENTS = "incident_id IN (SELECT id FROM incident WHERE model_id = :model_id)"
_OF_ENDPOINTS = (  # those that the program before wrote have no model
    "(model_id = :model_id OR (model_id IS NULL AND"
    " (starts_with(name, :written || '/receivers/') OR starts_with(name, :written || '/actions/'))))"
)
_OF_SERIES = "series_id IN (SELECT id FROM series WHERE model_id = :model_id)"
_OF_MODEL = "model_id = :model_id"
# What is found by other than a model's or a series' id.
_SPECIAL = {
    "transition": _OF_INCIDENTS,
    "notified": _OF_INCIDENTS,
    "action_step": f"action_id IN (SELECT id FROM action WHERE {_OF_MODEL})",  # noqa: S608  # constants
    "outbox": f"{_OF_MODEL} OR {_OF_INCIDENTS} OR action_id IN (SELECT id FROM action WHERE {_OF_MODEL})"  # noqa: S608  # constants
    f" OR endpoint_id IN (SELECT id FROM endpoint WHERE {_OF_ENDPOINTS})",
    "endpoint": _OF_ENDPOINTS,
    "dead_letter": "namespace = :namespace AND model = :name",
    "dead_letter_count": "namespace = :namespace AND model = :name",
    "discovered_model": "namespace = :namespace AND name = :name",
}
_LAST = ("spec", "reference", "cells", "series")  # few rows, which others refer to: they go with the model itself


def _conditions() -> dict[str, str]:
    """Return for every table with rows of models which of them are one's, those first that others do not refer to."""
    conditions: dict[str, str] = {}
    for table in reversed(metadata.sorted_tables):
        if table.name in _SPECIAL:
            conditions[table.name] = _SPECIAL[table.name]
        elif any(key.column.table is series for key in table.foreign_keys):
            conditions[table.name] = _OF_SERIES
        elif "model_id" in table.c:
            conditions[table.name] = _OF_MODEL
    return conditions


_CONDITIONS = _conditions()


@dataclass(frozen=True, slots=True)
class StoredPart:
    """What one table holds of a model: how many rows, and about how many bytes with their indexes."""

    table: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Owner:
    """The parameters of `_CONDITIONS`; *written*: the model as its endpoints' names begin."""

    model_id: int
    namespace: str
    name: str
    written: str


def stored_parts(connection: sa.Connection, model_id: int) -> tuple[StoredPart, ...]:
    """Return what is stored of a model, table by table, without those that hold nothing."""
    owner, parts = _owner(connection, model_id), []
    for table, belongs in _CONDITIONS.items():
        count = sa.text(f"SELECT count(*) FROM {table} WHERE {belongs}")  # noqa: S608  # constants
        rows = int(connection.execute(count, _parameters(owner)).scalar_one())
        if rows:
            parts.append(StoredPart(table, rows, round(rows * _bytes_of_a_row(connection, table))))
    return tuple(parts)


def withdraw_model(connection: sa.Connection, model_id: int) -> None:
    """Let every process stop working for the model; applying it is refused until it is removed. The caller commits."""
    lock_configuration(connection)
    since = sa.func.coalesce(model.c.removing_since, sa.func.clock_timestamp())
    connection.execute(sa.update(model).where(model.c.id == model_id).values(removing_since=since))
    connection.execute(sa.delete(spec).where(spec.c.model_id == model_id))
    connection.execute(sa.update(configuration).values(generation=configuration.c.generation + 1))


def remove_model(
    engine: sa.Engine,
    model_id: int,
    *,
    pause: Callable[[], None],
    on_deleted: Callable[[str, int], None] = lambda table, rows: None,
    limit: int = ROWS_AT_ONCE,
) -> None:
    """Delete everything of a model that was withdrawn, then the model itself; it may be begun again at any time.

    Args:
        pause: Called before another pass, where a process still added something.
        on_deleted: Called with table and rows after each transaction.
        limit: Rows of one table deleted in one transaction.

    Raises:
        UnavailableError: Something is still being added after many passes; the model stays withdrawn.
    """
    with engine.connect() as connection:
        owner = _owner(connection, model_id)
    for _ in range(PASSES):
        for table in _CONDITIONS:
            if table not in _LAST:
                _delete(engine, table, owner, on_deleted=on_deleted, limit=limit)
        try:
            with engine.begin() as connection:
                connection.execute(sa.select(model.c.id).where(model.c.id == model_id).with_for_update())
                for table in _LAST:
                    statement = sa.text(f"DELETE FROM {table} WHERE {_OF_MODEL}")  # noqa: S608  # constants
                    connection.execute(statement, {"model_id": model_id})
                connection.execute(sa.delete(model).where(model.c.id == model_id))
            return
        except IntegrityError:  # a flush or a turn that had begun before has added to it
            pause()
    raise UnavailableError(
        f"model {owner.written}: rows are still being added to it after {PASSES} passes.\n"
        "Look for a process of another version or configuration, end it, and run the command again."
    )


def _delete(
    engine: sa.Engine, table: str, owner: _Owner, *, on_deleted: Callable[[str, int], None], limit: int
) -> None:
    with engine.connect() as connection:
        leaves = _leaves(connection, table)
    for leaf in leaves:  # a row's place is one in its own partition only
        statement = sa.text(
            f"DELETE FROM {leaf} WHERE ctid = ANY(ARRAY("  # noqa: S608  # names of the schema, and constants
            f"SELECT ctid FROM {leaf} WHERE {_CONDITIONS[table]} LIMIT :limit))"
        )
        deleted = limit
        while deleted == limit:
            with engine.begin() as connection:
                deleted = connection.execute(statement, {**_parameters(owner), "limit": limit}).rowcount
            if deleted:
                on_deleted(table, deleted)


def _owner(connection: sa.Connection, model_id: int) -> _Owner:
    row = connection.execute(sa.select(model).where(model.c.id == model_id)).one()
    key = ModelKey(row.namespace, row.name)
    return _Owner(model_id, row.namespace, row.name, str(key))


def _parameters(owner: _Owner) -> dict[str, object]:
    return {
        "model_id": owner.model_id, "namespace": owner.namespace, "name": owner.name, "written": owner.written
    }  # fmt: skip


def _leaves(connection: sa.Connection, table: str) -> list[str]:
    """Return the quoted names of the tables that hold the rows of *table*: itself, or its partitions."""
    query = sa.text("SELECT CAST(relid AS text) FROM pg_partition_tree(CAST(:table AS regclass)) WHERE isleaf")
    return list(connection.execute(query, {"table": table}).scalars()) or [table]


def _bytes_of_a_row(connection: sa.Connection, table: str) -> float:
    """Return what a row of *table* takes on average, by the statistics of Postgres; the table's size without any."""
    query = sa.text(
        """
        SELECT sum(pg_total_relation_size(oid)) / greatest(sum(reltuples), 1)
        FROM pg_class WHERE CAST(oid AS regclass)::text = ANY(:leaves)
        """
    )
    return float(connection.execute(query, {"leaves": _leaves(connection, table)}).scalar_one() or 0)
