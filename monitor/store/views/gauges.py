"""What every alerter shows alike at a scrape: open incidents, what waits to be sent, looks at models, holds, drift."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from monitor.settings import Settings
from monitor.store.action_holds import active_holds
from monitor.store.database_clock import database_now_millis
from monitor.store.evaluations import RESULT_COLUMNS, stored_result
from monitor.store.model_turns import ModelTurn, alerters_at_work, model_turns
from monitor.store.schema import (
    IS_OPEN,
    cells,
    endpoint,
    evaluation,
    incident,
    model,
    outbox,
    scale_progress,
    series,
    unanswering_host,
)
from monitor.store.topics import read_partitions
from monitor.types import ALL_SEGMENT, DeliveryState, EffectKind, EndpointRole, IncidentKind, ModelKey, Tier, TopicRole
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import watermark_of, watermark_rules

_IS_PENDING = outbox.c.state == sa.literal(DeliveryState.PENDING.value, literal_execute=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingEffects:
    """What waits of one kind; *oldest*: since when a receiver misses the first of it (wall-clock s), None: nothing."""

    pending: int
    oldest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationGauges:
    """One reading; counts that are 0 are there too.

    Attributes:
        watermark: Of the predictions (ms); None: nothing is known to be complete.
        open_incidents: By model and kind.
        open_tiers: Open incidents by tier.
        endpoints_up: By name: False where something waits for it and the last attempts failed.
        turns: The last look at each applied model.
        alerters: How many share the models.
    """

    watermark: int | None
    open_incidents: Mapping[tuple[ModelKey, IncidentKind], int]
    open_tiers: Mapping[Tier, int]
    waiting: Mapping[EffectKind, WaitingEffects]
    endpoints_up: Mapping[str, bool]
    turns: tuple[ModelTurn, ...]
    holds: int
    alerters: int


def read_gauges(connection: sa.Connection, settings: Settings, *, alerter_seconds: float) -> InstallationGauges:
    """Return one reading of the whole installation.

    Args:
        alerter_seconds: An alerter whose heartbeat is older is not at work.
    """
    now = database_now_millis(connection)
    turns = model_turns(connection)
    partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=settings.predictions_topics)
    opened = _open_incidents(connection)
    by_model = Counter({(turn.key, kind): 0 for turn in turns for kind in IncidentKind})
    tiers: Counter[Tier] = Counter({tier: 0 for tier in Tier if tier is not Tier.NONE})
    for row in opened:
        by_model[ModelKey(row.namespace, row.name), IncidentKind(row.kind)] += row.incidents
        tiers[Tier(row.tier)] += row.incidents
    return InstallationGauges(
        watermark=watermark_of(partitions, now=now, rules=watermark_rules(settings)).value,
        open_incidents=by_model,
        open_tiers=tiers,
        waiting=_waiting(connection),
        endpoints_up=_endpoints_up(connection),
        turns=turns,
        holds=len(active_holds(connection, now_millis=now)),
        alerters=len(alerters_at_work(connection, within_seconds=alerter_seconds)),
    )


def _open_incidents(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    return connection.execute(
        sa.select(model.c.namespace, model.c.name, incident.c.kind, incident.c.tier, sa.func.count().label("incidents"))
        .join(model, model.c.id == incident.c.model_id)
        .where(IS_OPEN)
        .group_by(model.c.id, incident.c.kind, incident.c.tier)
    ).all()


def _waiting(connection: sa.Connection) -> dict[EffectKind, WaitingEffects]:
    waits_since = sa.func.coalesce(outbox.c.undelivered_since, outbox.c.created_at)
    rows = connection.execute(
        sa.select(
            outbox.c.kind,
            sa.func.count().label("pending"),
            sa.extract("epoch", sa.func.min(waits_since)).label("oldest"),
        )
        .where(_IS_PENDING)
        .group_by(outbox.c.kind)
    )
    waiting = {EffectKind(row.kind): WaitingEffects(pending=row.pending, oldest=float(row.oldest)) for row in rows}
    return {kind: WaitingEffects(pending=0, oldest=None) for kind in EffectKind} | waiting


def _endpoints_up(connection: sa.Connection) -> dict[str, bool]:
    waits = sa.select(outbox.c.id).where(outbox.c.endpoint_id == endpoint.c.id, _IS_PENDING).correlate(endpoint)
    # A breaker that lets one attempt through is not closed: only an answer removes its time.
    silent = sa.and_(endpoint.c.role == EndpointRole.RECEIVERS.value, unanswering_host.c.broken_until.is_not(None))
    broken = sa.or_(endpoint.c.broken_until.is_not(None), silent)
    rows = connection.execute(
        sa.select(endpoint.c.name, sa.and_(waits.exists(), sa.func.coalesce(broken, False)).label("down")).outerjoin(
            unanswering_host, unanswering_host.c.host == endpoint.c.host
        )
    )
    return {row.name: not row.down for row in rows}


class DriftReader:
    """Reads the PSI of each column in the newest window of each version's shortest scale; decodes only what is new."""

    def __init__(self) -> None:
        self._decoded: dict[tuple[int, ...], dict[str, float]] = {}

    def read(self, connection: sa.Connection) -> dict[tuple[ModelKey, str, str], float]:
        """Return the PSI by model, version and column; none of a version without events in the last window."""
        decoded: dict[tuple[int, ...], dict[str, float]] = {}
        drift: dict[tuple[ModelKey, str, str], float] = {}
        for row in connection.execute(_newest_windows()):
            window = (row.series_id, row.length, row.window_end, row.revision, row.spec_version)
            columns = self._decoded.get(window)
            decoded[window] = columns = _psi_by_column(row) if columns is None else columns
            drift |= {(ModelKey(row.namespace, row.name), row.version, column): psi for column, psi in columns.items()}
        self._decoded = decoded
        return drift


def _psi_by_column(row: sa.Row[Any]) -> dict[str, float]:
    result = stored_result(row.packed, row.result, row.column_names)
    return {column.name: column.psi for column in result.columns if column.psi is not None}


def _newest_windows() -> sa.Select[Any]:
    newest_of_model = sa.func.max(scale_progress.c.evaluated_until).over(partition_by=scale_progress.c.model_id)
    progress = sa.select(scale_progress, newest_of_model.label("newest")).subquery()
    shortest = (  # of the scales that go on: one that the spec gave up stays where it was
        sa.select(progress.c.model_id, progress.c.length, progress.c.evaluated_until)
        .where(progress.c.newest - progress.c.evaluated_until < progress.c.length * MINUTE_MILLIS)
        .ext(distinct_on(progress.c.model_id))
        .order_by(progress.c.model_id, progress.c.length)
        .subquery()
    )
    last = (
        sa.select(evaluation.c.window_end, evaluation.c.revision, evaluation.c.spec_version, *RESULT_COLUMNS)
        .outerjoin(cells, cells.c.id == evaluation.c.cells_id)
        .where(
            evaluation.c.series_id == series.c.id,
            evaluation.c.length == shortest.c.length,
            evaluation.c.window_end > shortest.c.evaluated_until - shortest.c.length * MINUTE_MILLIS,
        )
        .order_by(evaluation.c.window_end.desc(), evaluation.c.revision.desc())
        .limit(1)
        .lateral()
    )
    columns = (model.c.namespace, model.c.name, series.c.version, series.c.id.label("series_id"), shortest.c.length)
    return (
        sa.select(*columns, last)
        .select_from(
            model.join(shortest, shortest.c.model_id == model.c.id)
            .join(series, series.c.model_id == model.c.id)
            .join(last, sa.true())
        )
        .where(series.c.segment_tag == ALL_SEGMENT)
    )
