"""How many records were refused, by hour, reason and model, whether their bytes were kept or not; bounded in names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from monitor.store.schema import dead_letter_count, discovered_model, model
from monitor.types import DeadLetterReason, ModelKey

NAMES_LISTED = 100  # of models that nobody applied: a producer chooses them
OTHER_NAMES = ModelKey("", "other")
NO_NAME = ModelKey("", "")  # of records that name no model

RefusedKey = tuple[DeadLetterReason, ModelKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCount:
    """What one flush refused for *reason* of *model* (an applied one, a listed name, `OTHER_NAMES` or `NO_NAME`)."""

    reason: DeadLetterReason
    model: ModelKey
    records: int
    bytes: int
    kept: int
    kept_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBytes:
    """Bytes of dead letters kept in this hour by the database's clock: of all, and of those that a flush added to."""

    total: int = 0
    by_key: Mapping[RefusedKey, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTotal:
    """Records refused for one reason since their retention began, and how many of them can be looked at."""

    reason: DeadLetterReason
    refused: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredModel:
    """A model that sends records and was never applied; moments by the database's clock (ISO)."""

    model: ModelKey
    records: int
    first_seen_at: str
    last_seen_at: str


_ADD = sa.text(
    """
    INSERT INTO dead_letter_count AS known (hour, reason, namespace, model, records, bytes, kept, kept_bytes)
    SELECT date_trunc('hour', clock_timestamp()), *
    FROM unnest(CAST(:reasons AS text[]), CAST(:namespaces AS text[]), CAST(:models AS text[]),
        CAST(:records AS bigint[]), CAST(:bytes AS bigint[]), CAST(:kept AS bigint[]), CAST(:kept_bytes AS bigint[]))
    ON CONFLICT (hour, reason, namespace, model) DO UPDATE SET
        records = known.records + excluded.records, bytes = known.bytes + excluded.bytes,
        kept = known.kept + excluded.kept, kept_bytes = known.kept_bytes + excluded.kept_bytes
    RETURNING reason, namespace, model, kept_bytes
    """
)
_TOTAL = sa.text("SELECT sum(kept_bytes) FROM dead_letter_count WHERE hour = date_trunc('hour', clock_timestamp())")

# A name that finds no room is counted under `other`; two workers at once may bring in some names too many.
_DISCOVER = sa.text(
    """
    WITH found AS (
        SELECT * FROM unnest(CAST(:namespaces AS text[]), CAST(:names AS text[]), CAST(:records AS bigint[]))
            AS found (namespace, name, records)
    ), placed AS (
        SELECT found.*, known.name IS NOT NULL OR row_number() OVER (
            PARTITION BY known.name IS NULL ORDER BY found.records DESC, found.namespace, found.name
        ) <= :room - (SELECT count(*) FROM discovered_model) AS has_room
        FROM found LEFT JOIN discovered_model AS known USING (namespace, name)
    )
    INSERT INTO discovered_model AS known (namespace, name, records)
    SELECT CASE WHEN has_room THEN namespace ELSE '' END, CASE WHEN has_room THEN name ELSE 'other' END, sum(records)
    FROM placed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (namespace, name) DO UPDATE SET
        records = known.records + excluded.records, last_seen_at = clock_timestamp()
    """
)


def add_refused(connection: sa.Connection, counts: Sequence[RefusedCount]) -> KeptBytes:
    """Add *counts* to this hour's; return what is kept in it now. Last in a transaction: its rows are everybody's."""
    if not counts:
        return KeptBytes()
    ordered = sorted(counts, key=lambda count: (count.reason, count.model))
    rows = connection.execute(
        _ADD,
        {
            "reasons": [count.reason.value for count in ordered],
            "namespaces": [count.model.namespace for count in ordered],
            "models": [count.model.name for count in ordered],
            "records": [count.records for count in ordered],
            "bytes": [count.bytes for count in ordered],
            "kept": [count.kept for count in ordered],
            "kept_bytes": [count.kept_bytes for count in ordered],
        },
    )
    by_key = {(DeadLetterReason(row.reason), ModelKey(row.namespace, row.model)): row.kept_bytes for row in rows}
    return KeptBytes(total=int(connection.execute(_TOTAL).scalar() or 0), by_key=by_key)


def add_discovered(connection: sa.Connection, records: Mapping[ModelKey, int]) -> None:
    """Add to how many records each model that nobody applied has sent."""
    if not records:
        return
    ordered = sorted(records.items())
    connection.execute(
        _DISCOVER,
        {
            "namespaces": [key.namespace for key, _ in ordered],
            "names": [key.name for key, _ in ordered],
            "records": [count for _, count in ordered],
            "room": NAMES_LISTED,
        },
    )


def discovered_models(connection: sa.Connection) -> tuple[DiscoveredModel, ...]:
    """Return the listed names that are still not applied, the busiest first."""
    applied = sa.exists().where(
        model.c.namespace == discovered_model.c.namespace, model.c.name == discovered_model.c.name
    )
    rows = connection.execute(
        sa.select(discovered_model)
        .where(~applied)
        .order_by(discovered_model.c.records.desc(), discovered_model.c.namespace, discovered_model.c.name)
    )
    return tuple(
        DiscoveredModel(
            model=ModelKey(row.namespace, row.name),
            records=row.records,
            first_seen_at=row.first_seen_at.isoformat(),
            last_seen_at=row.last_seen_at.isoformat(),
        )
        for row in rows
    )


def refused_totals(connection: sa.Connection) -> tuple[RefusedTotal, ...]:
    """Return what was refused for each reason, as far back as it is kept."""
    rows = connection.execute(
        sa.select(
            dead_letter_count.c.reason,
            sa.func.sum(dead_letter_count.c.records).label("refused"),
            sa.func.sum(dead_letter_count.c.kept).label("kept"),
        )
        .group_by(dead_letter_count.c.reason)
        .order_by(dead_letter_count.c.reason)
    )
    return tuple(
        RefusedTotal(reason=DeadLetterReason(row.reason), refused=int(row.refused), kept=int(row.kept)) for row in rows
    )


def drop_old_counts(connection: sa.Connection, *, days: int) -> int:
    """Delete the counts of hours older than *days*, and names that sent nothing since; return how many rows."""
    old = sa.func.now() - sa.func.make_interval(0, 0, 0, days)
    counts = connection.execute(sa.delete(dead_letter_count).where(dead_letter_count.c.hour < old))
    names = connection.execute(sa.delete(discovered_model).where(discovered_model.c.last_seen_at < old))
    return counts.rowcount + names.rowcount
