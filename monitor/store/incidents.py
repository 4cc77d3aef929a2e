"""Incidents and every step they took; one incident at a time per (model, version, kind)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from monitor.clock import to_datetime, to_millis
from monitor.reference.rolling import TimeRange
from monitor.store.rows import values_of
from monitor.store.schema import IS_OPEN, evaluation, incident, model, performance_evaluation, series, transition
from monitor.types import ALL_SEGMENT, IncidentKind, IncidentStatus, Tier, Verdict
from monitor.units import HOUR_MINUTES, MINUTE_MILLIS

_BAD = (Verdict.WARNING.value, Verdict.ALERT.value, Verdict.CRITICAL.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident as stored; *state* is the alerter's own canonical JSON.

    Attributes:
        sequence: Number of its newest step or message; `number_incidents` writes it.
    """

    id: str
    model_id: int
    version: str
    kind: IncidentKind
    status: IncidentStatus
    tier: Tier
    state: str
    first_end: int
    last_end: int
    resolved_end: int | None
    sentence: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentStep:
    """One step with its reason, decided on the window that ends at *window_end*."""

    window_end: int
    step: str
    reason: str
    tier: Tier
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow(IncidentStep):
    """One step as stored, of which incident."""

    incident_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLevel:
    """An incident as it stands; *changed_at*: wall-clock milliseconds of its last step."""

    version: str
    state: str
    changed_at: int


def lock_model(connection: sa.Connection, model_id: int, *, wait: bool = False) -> bool:
    """Lock the model's row until the transaction ends; False where another has it, unless to *wait*.

    FOR NO KEY UPDATE: ingest may still insert rows that refer to the model, two alerters still exclude each other.
    """
    row = connection.execute(
        sa.select(model.c.id).where(model.c.id == model_id).with_for_update(key_share=True, skip_locked=not wait)
    )
    return row.one_or_none() is not None


def newest_incidents(connection: sa.Connection, model_id: int) -> tuple[IncidentRow, ...]:
    """Return the newest incident, open or resolved, of each (version, kind) of the model."""
    rows = connection.execute(
        sa.select(incident)
        .where(incident.c.model_id == model_id)
        .ext(distinct_on(incident.c.version, incident.c.kind))
        .order_by(incident.c.version, incident.c.kind, incident.c.first_end.desc())
    )
    return values_of(IncidentRow, rows)


def incident_levels(connection: sa.Connection, model_id: int, *, changed_since: int) -> tuple[IncidentLevel, ...]:
    """Return the model's open incidents, and those that were resolved since (wall-clock ms)."""
    resolved = incident.c.status == IncidentStatus.RESOLVED.value
    recent = sa.and_(resolved, incident.c.changed_at > to_datetime(changed_since))
    rows = connection.execute(
        sa.select(incident.c.version, incident.c.state, incident.c.changed_at)
        .where(incident.c.model_id == model_id, sa.or_(IS_OPEN, recent))
        .order_by(incident.c.first_end, incident.c.id)
    )
    return tuple(
        IncidentLevel(version=row.version, state=row.state, changed_at=to_millis(row.changed_at)) for row in rows
    )


def model_of_incident(connection: sa.Connection, incident_id: str) -> int:
    """Return the id of the incident's model; it must exist."""
    return int(connection.execute(sa.select(incident.c.model_id).where(incident.c.id == incident_id)).scalar_one())


def incident_first_end(connection: sa.Connection, incident_id: str) -> int:
    """Return the end (ms) of an incident's first window; it must exist."""
    return int(connection.execute(sa.select(incident.c.first_end).where(incident.c.id == incident_id)).scalar_one())


def save_incidents(connection: sa.Connection, rows: Sequence[IncidentRow], *, now_millis: int) -> None:
    """Insert or replace the incidents by id."""
    moved = ("status", "tier", "state", "last_end", "resolved_end", "sentence")
    now = to_datetime(now_millis)
    for row in rows:
        statement = insert(incident).values(**asdict(row), opened_at=now, changed_at=now)
        replaced = {name: statement.excluded[name] for name in (*moved, "changed_at")}
        connection.execute(statement.on_conflict_do_update(index_elements=[incident.c.id], set_=replaced))


def number_incidents(connection: sa.Connection, numbers: Mapping[str, int]) -> None:
    """Store by id the number of the newest step or message of each incident; what it has is never lowered."""
    for incident_id, number in numbers.items():
        unknown = sa.and_(incident.c.id == incident_id, incident.c.sequence < number)
        connection.execute(sa.update(incident).where(unknown).values(sequence=number))


def append_transitions(connection: sa.Connection, rows: Sequence[TransitionRow]) -> None:
    """Append the steps in order."""
    if rows:
        connection.execute(
            sa.insert(transition),
            [asdict(row) for row in rows],
        )


def suspect_times(connection: sa.Connection, *, model_id: int, version: str) -> tuple[TimeRange, ...]:
    """Return the event times that an incident of any kind covers; one that is open goes on.

    An incident says when its first window ended. What it is about began inside that window, so all of the longest
    window that found something at that end is suspect.
    """
    lengths = [_length_at_first_end(table) for table in (evaluation, performance_evaluation)]
    longest = sa.func.coalesce(sa.func.greatest(*lengths), HOUR_MINUTES)  # no window of its first end is known
    query = (
        sa.select(incident.c.first_end, incident.c.resolved_end, incident.c.status, longest.label("length"))
        .where(incident.c.model_id == model_id, incident.c.version == version)
        .order_by(incident.c.first_end)
    )
    return tuple(
        TimeRange(
            row.first_end - row.length * MINUTE_MILLIS,
            None if row.status == IncidentStatus.OPEN else row.resolved_end,
        )
        for row in connection.execute(query)
    )


def _length_at_first_end(table: sa.Table) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.max(table.c.length))
        .join(series, series.c.id == table.c.series_id)
        .where(
            series.c.model_id == incident.c.model_id,
            series.c.version == incident.c.version,
            series.c.segment_tag == ALL_SEGMENT,
            table.c.window_end == incident.c.first_end,
            table.c.revision == 0,
            table.c.verdict.in_(_BAD),
        )
        .correlate(incident)
        .scalar_subquery()
    )
