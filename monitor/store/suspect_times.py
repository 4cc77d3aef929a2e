"""When a version had incidents, from the start of the window that opened each one on."""

import sqlalchemy as sa

from monitor.reference.rolling import Interval
from monitor.store.schema import evaluation, incident, performance_evaluation, series
from monitor.types import ALL_SEGMENT, MINUTE_MILLIS, Verdict

_BAD = (Verdict.WARNING.value, Verdict.ALERT.value, Verdict.CRITICAL.value)
_HOUR = 60  # minutes before its first window's end, where no window of an incident's first end is known


def suspect_times(connection: sa.Connection, *, model_id: int, version: str) -> tuple[Interval, ...]:
    """Return the event times that an incident of any kind covers; one that is open goes on.

    An incident says when its first window ended. What it tells of began inside that window, so all of the longest
    window that found something at that end is suspect.
    """
    lengths = [_length_at_first_end(table) for table in (evaluation, performance_evaluation)]
    longest = sa.func.coalesce(sa.func.greatest(*lengths), _HOUR)
    query = (
        sa.select(incident.c.first_end, incident.c.resolved_end, incident.c.status, longest.label("length"))
        .where(incident.c.model_id == model_id, incident.c.version == version)
        .order_by(incident.c.first_end)
    )
    return tuple(
        Interval(row.first_end - row.length * MINUTE_MILLIS, None if row.status == "open" else row.resolved_end)
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
