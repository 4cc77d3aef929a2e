"""What is going on, model by model: last verdicts, accuracy, deployed versions, open incidents."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import (
    cells,
    deployment,
    evaluation,
    incident,
    model,
    performance_evaluation,
    scale_progress,
    series,
)
from monitor.store.stored_results import RESULT_COLUMNS, stored_result
from monitor.types import IncidentKind, Stage, Tier, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LastVerdict:
    """The newest evaluated window of one version at one scale (*length* in minutes, *window_end* in ms)."""

    version: str
    length: int
    window_end: int
    events: int
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAccuracy:
    """The newest mature accuracy of one version at one scale, with its interval."""

    version: str
    length: int
    window_end: int
    labelled: int
    accuracy: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDeployment:
    """Where one version stands by the newest deployment event about it."""

    version: str
    stage: Stage
    traffic: float | None
    event_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """One open incident in brief."""

    id: str
    version: str
    kind: IncidentKind
    tier: Tier
    first_end: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """One applied model."""

    model_id: int
    namespace: str
    name: str
    held: bool
    verdicts: tuple[LastVerdict, ...]
    accuracies: tuple[LastAccuracy, ...]
    deployments: tuple[LastDeployment, ...]
    open_incidents: tuple[OpenIncident, ...]
    windows_evaluated: int


def model_statuses(connection: sa.Connection) -> tuple[ModelStatus, ...]:
    """Return every applied model by namespace and name; only series over all segments."""
    rows = connection.execute(sa.select(model).order_by(model.c.namespace, model.c.name)).all()
    return tuple(
        ModelStatus(
            model_id=row.id,
            namespace=row.namespace,
            name=row.name,
            held=row.held,
            verdicts=_last_verdicts(connection, row.id),
            accuracies=_last_accuracies(connection, row.id),
            deployments=_deployments(connection, row.id),
            open_incidents=_open_incidents(connection, row.id),
            windows_evaluated=_windows_evaluated(connection, row.id),
        )
        for row in rows
    )


def windows_evaluated(connection: sa.Connection) -> int:
    """Return how many windows were evaluated, drift and performance, first revisions only."""
    return _windows_evaluated(connection, None)


def _windows_evaluated(connection: sa.Connection, model_id: int | None) -> int:
    total = 0
    for table in (evaluation, performance_evaluation):
        query = sa.select(sa.func.count()).select_from(table).where(table.c.revision == 0)
        if model_id is not None:
            query = query.where(table.c.series_id.in_(sa.select(series.c.id).where(series.c.model_id == model_id)))
        total += int(connection.execute(query).scalar_one())
    return total


def _whole_series(model_id: int) -> Sequence[sa.ColumnElement[bool]]:
    return series.c.model_id == model_id, series.c.segment_tag == ""


def _last_verdicts(connection: sa.Connection, model_id: int) -> tuple[LastVerdict, ...]:
    newest = (
        sa.select(evaluation.c.window_end, evaluation.c.events, evaluation.c.verdict, *RESULT_COLUMNS)
        .outerjoin(cells, cells.c.id == evaluation.c.cells_id)
        .where(evaluation.c.series_id == series.c.id, evaluation.c.length == scale_progress.c.length)
        .order_by(evaluation.c.window_end.desc(), evaluation.c.revision.desc())
        .limit(1)
        .lateral()
    )
    scales = series.join(scale_progress, scale_progress.c.model_id == series.c.model_id)
    rows = connection.execute(
        sa.select(series.c.version, scale_progress.c.length, newest)
        .select_from(scales.join(newest, sa.true()))
        .where(*_whole_series(model_id))
        .order_by(series.c.version, scale_progress.c.length)
    )
    return tuple(
        LastVerdict(
            version=row.version,
            length=row.length,
            window_end=row.window_end,
            events=row.events,
            verdict=Verdict(row.verdict),
            sentence=stored_result(row.packed, row.result, row.column_names).sentence,
        )
        for row in rows
    )


def _last_accuracies(connection: sa.Connection, model_id: int) -> tuple[LastAccuracy, ...]:
    each = performance_evaluation.c
    rows = connection.execute(
        sa.select(series.c.version, each.length, each.window_end, each.labelled, each.accuracy, each.low, each.high)
        .join(series, series.c.id == each.series_id)
        .where(*_whole_series(model_id), each.mature)
        .distinct(series.c.version, each.length)
        .order_by(series.c.version, each.length, each.window_end.desc(), each.revision.desc())
    )
    return tuple(
        LastAccuracy(
            version=row.version,
            length=row.length,
            window_end=row.window_end,
            labelled=row.labelled,
            accuracy=row.accuracy,
            low=row.low,
            high=row.high,
        )
        for row in rows
    )


def _deployments(connection: sa.Connection, model_id: int) -> tuple[LastDeployment, ...]:
    rows = connection.execute(
        sa.select(deployment)
        .where(deployment.c.model_id == model_id)
        .distinct(deployment.c.version)
        .order_by(deployment.c.version, deployment.c.event_time.desc(), deployment.c.id.desc())
    )
    return tuple(
        LastDeployment(version=row.version, stage=Stage(row.stage), traffic=row.traffic, event_time=row.event_time)
        for row in rows
    )


def _open_incidents(connection: sa.Connection, model_id: int) -> tuple[OpenIncident, ...]:
    rows = connection.execute(
        sa.select(incident)
        .where(incident.c.model_id == model_id, incident.c.status == "open")
        .order_by(incident.c.tier.desc(), incident.c.first_end)
    )
    return tuple(
        OpenIncident(
            id=str(row.id),
            version=row.version,
            kind=IncidentKind(row.kind),
            tier=Tier(row.tier),
            first_end=row.first_end,
            sentence=row.sentence,
        )
        for row in rows
    )
