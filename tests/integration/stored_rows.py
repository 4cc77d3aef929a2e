"""One row in every table that has rows of models, whatever columns it has."""

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from monitor.store.schema import metadata
from monitor.types import ModelKey

_numbers = itertools.count(1)
_KEYS = {"model_id", "series_id", "cells_id", "reference_id", "incident_id", "action_id", "endpoint_id"}


def store_everywhere(connection: Connection, model_id: int, key: ModelKey) -> set[str]:
    """Insert a row of the model into each table that may have some; return the tables' names."""
    connection.execute(
        sa.text("CREATE TABLE IF NOT EXISTS ledger_all PARTITION OF prediction_ledger DEFAULT")  # so that it takes any
    )
    ids: dict[str, Any] = {"model_id": model_id}
    for name in ("cells", "reference", "series"):
        query = sa.text(f"SELECT max(id) FROM {name} WHERE model_id = :model_id")  # noqa: S608  # constants
        ids[f"{name}_id"] = connection.execute(query, ids).scalar()
    ids["profile_id"] = ids["reference_id"]
    filled = set()
    for table in metadata.sorted_tables:
        if table.name in ("model", "spec", "cells", "reference"):
            continue  # the model is applied
        named = table.name in ("dead_letter", "dead_letter_count", "discovered_model")
        if not _KEYS & set(table.c.keys()) and table.name != "endpoint" and not named:
            continue
        row = {column.name: _value(column, ids) for column in table.columns if _is_needed(column)}
        if table.name == "endpoint":
            row["name"] = f"{key}/receivers/{next(_numbers)}"
        if named:
            row |= {"namespace": key.namespace, "model" if "model" in table.c else "name": key.name}
        connection.execute(sa.insert(table).values(**row))
        filled.add(table.name)
        if "id" in row:
            ids[f"{table.name}_id"] = row["id"]
        elif f"{table.name}_id" in _KEYS:
            ids[f"{table.name}_id"] = connection.execute(sa.select(sa.func.max(table.c.id))).scalar()
    return filled


def _is_needed(column: sa.Column[Any]) -> bool:
    given = column.identity is not None or column.server_default is not None
    return column.name in _KEYS or not (column.nullable or given)


def _value(column: sa.Column[Any], ids: dict[str, Any]) -> Any:
    if column.name in ids and column.name != "id":
        return ids[column.name]
    number = next(_numbers)
    kind = column.type.python_type if not isinstance(column.type, sa.JSON) else dict
    made: dict[type, Any] = {
        int: number % 30_000, str: f"text {number}", bytes: b"", bool: False, dict: {}, list: [], float: 0.5,
        uuid.UUID: str(uuid.uuid4()), datetime: datetime(2026, 6, 1, number % 24, tzinfo=UTC),
    }  # fmt: skip
    if isinstance(column.type, sa.UUID):
        return str(uuid.uuid4())
    return made[kind]
