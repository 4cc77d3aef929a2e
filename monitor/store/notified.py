"""What each receiver was sent last of an incident; written in the transaction that appends the message."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime
from monitor.store.rows import value_of
from monitor.store.schema import incident, notified
from monitor.types import NoticeEvent, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedRow:
    """What *receiver* was sent last of an incident, and under which number.

    Attributes:
        tier: Of the incident as it was then; NONE at its end.
        outbox_id: The message; None: the program before sent it, or it was deleted.
    """

    incident_id: str
    receiver: str
    sequence: int
    tier: Tier
    event: NoticeEvent
    outbox_id: str | None


@dataclass(frozen=True, slots=True)
class StandingNotice:
    """A receiver that was sent no end yet, and the incident's state as stored."""

    row: NotifiedRow
    state: str


def standing_notices(connection: sa.Connection, model_id: int) -> tuple[StandingNotice, ...]:
    """Return who was sent a trigger of an incident of the model and not its end, whatever the spec says now."""
    rows = connection.execute(
        sa.select(notified, incident.c.state)
        .join(incident, incident.c.id == notified.c.incident_id)
        .where(incident.c.model_id == model_id, notified.c.event != NoticeEvent.END.value)
        .order_by(notified.c.incident_id, notified.c.receiver)
    )
    return tuple(StandingNotice(value_of(NotifiedRow, row), row.state) for row in rows)


def record_notified(connection: sa.Connection, rows: Sequence[NotifiedRow], *, now_millis: int) -> None:
    """Insert or replace the rows by incident and receiver."""
    for row in rows:
        statement = insert(notified).values(**asdict(row), at=to_datetime(now_millis))
        replaced = {name: statement.excluded[name] for name in ("sequence", "tier", "event", "at", "outbox_id")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=[notified.c.incident_id, notified.c.receiver], set_=replaced)
        )


def carry_over(connection: sa.Connection, superseded: Sequence[str], by: str) -> None:
    """Let what was to be sent by the *superseded* rows of the outbox be sent *by* the newer one."""
    if superseded:
        connection.execute(sa.update(notified).where(notified.c.outbox_id.in_(superseded)).values(outbox_id=by))
