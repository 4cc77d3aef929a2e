"""Rows as values: dataclasses whose fields are named as the columns."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

Value = TypeVar("Value")


def value_of(kind: type[Value], row: sa.Row[*tuple[Any, ...]], **given: object) -> Value:
    """Return *row* as a *kind*, with the fields *given*; columns it has no field for are left out.

    Raises:
        msgspec.ValidationError: A column is missing or of another type, or a word is in no closed list.
    """
    columns = {str(name): value for name, value in row._mapping.items()}  # SQLAlchemy's names are no plain texts
    return msgspec.convert({**columns, **given}, kind)


def values_of(kind: type[Value], rows: Iterable[sa.Row[*tuple[Any, ...]]]) -> tuple[Value, ...]:
    """Return *rows* as values of *kind*, see `value_of`."""
    return tuple(value_of(kind, row) for row in rows)
