"""What the database holds, read as only tests need it."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from monitor.result_codec import encode_result
from monitor.store.evaluations import RESULT_COLUMNS, stored_result
from monitor.store.schema import action, cells, evaluation, series, transition
from monitor.types import Tier, Verdict


@dataclass(frozen=True, slots=True)
class FinalEvaluation:
    """The last revision of one window, with its result as canonical text."""

    version: str
    segment_tag: str
    segment_value: str
    length: int
    window_end: int
    events: int
    verdict: Verdict
    result: str


def final_evaluations(connection: sa.Connection, model_id: int) -> tuple[FinalEvaluation, ...]:
    """Return the last revision of every window of a model, ordered by series, length and end."""
    e, s = evaluation.c, series.c
    window = (s.version, s.segment_tag, s.segment_value, e.length, e.window_end)
    query = (
        sa.select(*window, e.events, e.verdict, *RESULT_COLUMNS)
        .ext(distinct_on(*window))
        .join(series, s.id == e.series_id)
        .outerjoin(cells, cells.c.id == e.cells_id)
        .where(s.model_id == model_id)
        .order_by(*window, e.revision.desc(), e.spec_version.desc(), e.cells_id.desc())
    )
    evaluations = []
    for row in connection.execute(query):
        result = stored_result(row.packed, row.result, row.column_names)
        evaluations.append(FinalEvaluation(*row[:6], Verdict(row.verdict), encode_result(result).decode()))
    return tuple(evaluations)


def steps_of_incident(connection: sa.Connection, incident_id: str) -> list[str]:
    """Return every step of one incident, its tier and its reason, in the order it was decided."""
    rows = sa.select(transition).where(transition.c.incident_id == incident_id).order_by(transition.c.id)
    return [f"{row.step} {Tier(row.tier).name} {row.reason}" for row in connection.execute(rows)]


def refused_actions(connection: sa.Connection, model_id: int) -> list[tuple[str, str]]:
    """Return kind and reason of each action of a model that was refused, sorted."""
    rows = sa.select(action.c.kind, action.c.reason).where(action.c.model_id == model_id, action.c.state == "refused")
    return sorted((row.kind, row.reason) for row in connection.execute(rows))
