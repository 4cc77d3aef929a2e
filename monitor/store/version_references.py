"""What was decided of a version by its warm-up: its prediction has a reference that was learnt, or the model's."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.arrays import AnyIntegers, AnyUnsigned
from monitor.store.schema import version_reference
from monitor.windows.pane_codec import decode_counts, encode_counts


class PredictionSource(StrEnum):
    """Where the reference of a version's prediction comes from."""

    OF_MODEL = "of_model"  # the model's first version, or one that served before any deployment of it was known
    LEARNT = "learnt"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionReference:
    """The decision about one version, without its counts.

    Attributes:
        reference_id: The frozen reference that was in force then, which its cells and natural movement are of.
        used_from: Windows that end then (ms) or later are compared with it.
        minutes, events: What it was counted in.
    """

    version: str
    source: PredictionSource
    reference_id: int
    cells_id: int
    used_from: int = 0
    minutes: int = 0
    events: int = 0


_DESCRIBED = tuple(
    version_reference.c[name]
    for name in ("version", "source", "reference_id", "cells_id", "used_from", "minutes", "events")
)


def version_references(connection: sa.Connection, model_id: int) -> dict[str, VersionReference]:
    """Return what is decided of the model's versions."""
    rows = connection.execute(sa.select(*_DESCRIBED).where(version_reference.c.model_id == model_id))
    return {row.version: VersionReference(**{**row._mapping, "source": PredictionSource(row.source)}) for row in rows}


def version_counts(connection: sa.Connection, model_id: int, version: str, *, size: int) -> AnyUnsigned | None:
    """Return the counts, shape ``(size,)``, of a version's own reference; None where it has none."""
    here = (version_reference.c.model_id == model_id, version_reference.c.version == version)
    counts = connection.execute(sa.select(version_reference.c.counts).where(*here)).scalar()
    return None if counts is None else decode_counts(counts, size=size)


def decide_version(
    connection: sa.Connection, model_id: int, decided: VersionReference, *, counts: AnyIntegers | None
) -> None:
    """Store the decision about a version with its *counts*; one that is there stays."""
    values: Mapping[str, object] = {
        "source": decided.source.value,
        "reference_id": decided.reference_id,
        "cells_id": decided.cells_id,
        "used_from": decided.used_from,
        "minutes": decided.minutes,
        "events": decided.events,
        "counts": None if counts is None else encode_counts(counts),
    }
    statement = insert(version_reference).values(model_id=model_id, version=decided.version, **values)
    key = [version_reference.c.model_id, version_reference.c.version]
    connection.execute(statement.on_conflict_do_nothing(index_elements=key))
