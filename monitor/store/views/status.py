"""What is going on, model by model: last verdicts, accuracy, deployed versions, open incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from monitor.action_holds import ActionHold
from monitor.deployments import history_until
from monitor.store.accuracy_evaluations import OUTPUT
from monitor.store.action_holds import holds_of_model
from monitor.store.database_clock import database_now_millis
from monitor.store.deployments import Deployment, by_events_or_assumed, deployments_history
from monitor.store.evaluations import RESULT_COLUMNS, stored_result
from monitor.store.rows import value_of, values_of
from monitor.store.scale_progress import Progress, read_progress
from monitor.store.schema import (
    IS_OPEN,
    cells,
    deployment,
    evaluation,
    incident,
    model,
    performance_evaluation,
    scale_progress,
    series,
)
from monitor.store.version_warm_ups import WarmUp, unrevised_warm_ups
from monitor.store.views.serving import notices_since, retired_versions
from monitor.types import ALL_SEGMENT, IncidentKind, Tier, Verdict


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
    """One applied model.

    Attributes:
        holds: By which people stop its actions now, those of its namespace and of all models too.
        progress: How far the windows of each scale are evaluated, shortest first.
        retired: Versions that serve no more and have no open incident; their verdicts are their last ones.
        unrevised: Serving versions whose first deployment came after windows of its time were final, which stay as
            judged; until no window reaches back into their time, for a day at least.
    """

    model_id: int
    namespace: str
    name: str
    holds: tuple[ActionHold, ...]
    verdicts: tuple[LastVerdict, ...]
    accuracies: tuple[LastAccuracy, ...]
    deployments: tuple[Deployment, ...]
    open_incidents: tuple[OpenIncident, ...]
    progress: tuple[Progress, ...]
    retired: tuple[str, ...]
    unrevised: tuple[WarmUp, ...]


def model_statuses(connection: sa.Connection) -> tuple[ModelStatus, ...]:
    """Return every applied model by namespace and name; only series over all segments.

    Nothing here counts rows: what it reads must not grow with the windows that were ever evaluated.
    """
    rows = connection.execute(sa.select(model).order_by(model.c.namespace, model.c.name)).all()
    return tuple(_status(connection, row) for row in rows)


def _status(connection: sa.Connection, row: sa.Row[Any]) -> ModelStatus:
    verdicts = _last_verdicts(connection, row.id)
    incidents = _open_incidents(connection, row.id)
    progress = tuple(progress for _, progress in sorted(read_progress(connection, row.id).items()))
    now = database_now_millis(connection)
    deployed = history_until(deployments_history(connection, row.id), at=now)
    last_ends: dict[str, dict[int, int]] = {}
    for verdict in verdicts:
        last_ends.setdefault(verdict.version, {})[verdict.length] = verdict.window_end
    retired = retired_versions(
        [event for event in deployed if event.contradicted_at is None],
        last_ends,
        progress,
        with_incident=frozenset(opened.version for opened in incidents),
    )
    return ModelStatus(
        model_id=row.id,
        namespace=row.namespace,
        name=row.name,
        holds=holds_of_model(connection, row.id, now_millis=now),
        verdicts=verdicts,
        accuracies=_last_accuracies(connection, row.id),
        deployments=_deployments(connection, row.id),
        open_incidents=incidents,
        progress=progress,
        retired=retired,
        unrevised=_unrevised(connection, row.id, since=notices_since(progress), without=frozenset(retired)),
    )


def _newest_of_each_scale(connection: sa.Connection, model_id: int, newest: sa.FromClause) -> Sequence[sa.Row[Any]]:
    """Return the *newest* row of every series over all segments at each scale, with its version and length."""
    scales = series.join(scale_progress, scale_progress.c.model_id == series.c.model_id)
    return connection.execute(
        sa.select(series.c.version, scale_progress.c.length, newest)
        .select_from(scales.join(newest, sa.true()))
        .where(series.c.model_id == model_id, series.c.segment_tag == ALL_SEGMENT)
        .order_by(series.c.version, scale_progress.c.length)
    ).all()


def _last_verdicts(connection: sa.Connection, model_id: int) -> tuple[LastVerdict, ...]:
    newest = (
        sa.select(evaluation.c.window_end, evaluation.c.events, evaluation.c.verdict, *RESULT_COLUMNS)
        .outerjoin(cells, cells.c.id == evaluation.c.cells_id)
        .where(evaluation.c.series_id == series.c.id, evaluation.c.length == scale_progress.c.length)
        .order_by(evaluation.c.window_end.desc(), evaluation.c.revision.desc())
        .limit(1)
        .lateral()
    )
    return tuple(
        value_of(LastVerdict, row, sentence=stored_result(row.packed, row.result, row.column_names).sentence)
        for row in _newest_of_each_scale(connection, model_id, newest)
    )


def _last_accuracies(connection: sa.Connection, model_id: int) -> tuple[LastAccuracy, ...]:
    accuracy = performance_evaluation.c
    newest = (
        sa.select(accuracy.window_end, accuracy.labelled, accuracy.accuracy, accuracy.low, accuracy.high)
        .where(
            accuracy.series_id == series.c.id,
            accuracy.output == OUTPUT,
            accuracy.length == scale_progress.c.length,
            accuracy.mature,
        )
        .order_by(accuracy.window_end.desc(), accuracy.revision.desc())
        .limit(1)
        .lateral()
    )
    return values_of(LastAccuracy, _newest_of_each_scale(connection, model_id, newest))


def _deployments(connection: sa.Connection, model_id: int) -> tuple[Deployment, ...]:
    rows = connection.execute(
        sa.select(deployment)
        .ext(distinct_on(deployment.c.version))
        .where(deployment.c.model_id == model_id, by_events_or_assumed(), deployment.c.contradicted_at.is_(None))
        .order_by(deployment.c.version, deployment.c.event_time.desc(), deployment.c.id.desc())
    )
    return values_of(Deployment, rows)


def _unrevised(connection: sa.Connection, model_id: int, *, since: int, without: frozenset[str]) -> tuple[WarmUp, ...]:
    return tuple(
        warm_up for warm_up in unrevised_warm_ups(connection, model_id, since=since) if warm_up.version not in without
    )


def _open_incidents(connection: sa.Connection, model_id: int) -> tuple[OpenIncident, ...]:
    rows = connection.execute(
        sa.select(incident)
        .where(incident.c.model_id == model_id, IS_OPEN)
        .order_by(incident.c.tier.desc(), incident.c.first_end)
    )
    return values_of(OpenIncident, rows)
