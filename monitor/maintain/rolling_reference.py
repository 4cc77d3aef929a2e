"""The rolling reference: built from approved live hours when asked for, adopted daily where the spec says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa

from monitor.clock import iso_utc
from monitor.deployments import periods
from monitor.maintain.live_blocks import BaseReference, base_reference
from monitor.reference.profile import ReferenceProfile
from monitor.reference.rolling import (
    ROLLING_DAYS,
    HourApproval,
    LiveBlocks,
    LiveHour,
    LiveSums,
    TimeRange,
    approve_hours,
    rolling_profile,
)
from monitor.spec.model import ModelSpec, ReferencePolicy
from monitor.store.configuration import AppliedModel
from monitor.store.deployments import deployments_history
from monitor.store.engine import snapshot
from monitor.store.incidents import suspect_times
from monitor.store.live_blocks import BlockKey, read_blocks
from monitor.store.panes import pane_counts, pane_rows
from monitor.store.references import reference_in_force
from monitor.store.series import whole_series
from monitor.store.specs import AdoptOutcome, adopt_reference
from monitor.types import Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.pane_codec import decode_counts
from monitor.windows.sliding import PaneRow
from monitor.windows.watermark import WatermarkRules

HOURS_NEEDED = 24  # a whole cycle of the day, or the reference would be of its calm part alone


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingReference:
    """What a rolling reference is made of; *profile* None: it cannot be made, *why* says so.

    Attributes:
        base_id: The frozen reference whose cells and bins it has.
        version: Whose hours they are; None where no version has events.
        start, stop: Epoch milliseconds; the last seven days up to the last final hour.
        incident_open: An incident of the version is open now.
        blocks: Approved time blocks that natural movement is measured on.
    """

    profile: ReferenceProfile | None
    why: str
    base_id: int
    version: str | None
    start: int
    stop: int
    hours: HourApproval
    incident_open: bool
    blocks: int


def build_rolling(
    connection: sa.Connection, applied: AppliedModel, *, watermark: int, rules: WatermarkRules
) -> RollingReference:
    """Return the rolling reference of *applied* as of *watermark* (ms), up to which its panes are complete.

    *connection* reads one snapshot (`snapshot`): a compaction must not come between two readings.
    """
    base = base_reference(connection, applied)
    stop = (watermark - rules.finality) // HOUR_MILLIS * HOUR_MILLIS
    start = stop - ROLLING_DAYS * DAY_MILLIS
    nothing = RollingReference(
        profile=None,
        why=f"no version was counted from {iso_utc(start)} to {iso_utc(stop)}",
        base_id=base.reference_id,
        version=None,
        start=start,
        stop=stop,
        hours=HourApproval(approved=(), in_incidents=0, not_serving=0, other_cells=0),
        incident_open=False,
        blocks=0,
    )
    serving = _serving(connection, applied.model_id, start=start, stop=stop)
    if serving is None:
        return nothing
    by_hour = _rows_by_hour(connection, serving.series_id, start=start, stop=stop)
    cells_id = applied.cells_of(base.profile.layout).cells_id
    suspect = suspect_times(connection, model_id=applied.model_id, version=serving.version)
    hours = approve_hours(
        [LiveHour(at, all(row.cells_id == cells_id for row in rows)) for at, rows in sorted(by_hour.items())],
        suspect=suspect,
        serving=serving.intervals,
    )
    counted = replace(
        nothing,
        why=_too_little(applied.spec, hours, sum(row.events for at in hours.approved for row in by_hour[at])),
        version=serving.version,
        hours=hours,
        incident_open=any(interval.stop is None for interval in suspect),
    )
    if counted.why:
        return counted
    blocks = _approved_blocks(connection, base, serving.series_id, hours.approved, start=start, stop=stop)
    profile = rolling_profile(
        base.profile,
        _sums(connection, base, applied.spec, by_hour, hours.approved),
        blocks,
        lengths=tuple(scale.length for scale in applied.spec.scales),
        start=hours.approved[0],
        stop=hours.approved[-1] + HOUR_MILLIS,
        source=f"{len(hours.approved)} approved hours of version {serving.version}",
    )
    return replace(counted, profile=profile, blocks=len(blocks.starts))


@dataclass(frozen=True, slots=True)
class _Serving:
    """The version in production, its series, and when it was; *intervals* None: no deployment event says."""

    version: str
    series_id: int
    intervals: tuple[TimeRange, ...] | None


def _serving(connection: sa.Connection, model_id: int, *, start: int, stop: int) -> _Serving | None:
    """Return the version in production at *stop*; of several, or without deployments, that with most events."""
    series_of = {version: series_id for series_id, version in whole_series(connection, model_id).items()}
    history = [
        deployment
        for deployment in deployments_history(connection, model_id)
        if deployment.event_time < stop and deployment.contradicted_at is None
    ]
    in_production = [period for period in periods(history) if period.stage is Stage.PRODUCTION]
    serving = {period.version for period in in_production if period.end is None}
    events = {
        version: sum(row.events for row in pane_rows(connection, series_id=series_id, start=start, stop=stop))
        for version, series_id in series_of.items()
        if version in serving or not serving
    }
    busiest = max(events, key=lambda version: (events[version], version), default=None)
    if busiest is None or not (serving or events[busiest]):
        return None
    intervals = tuple(TimeRange(period.start, period.end) for period in in_production if period.version == busiest)
    return _Serving(busiest, series_of[busiest], intervals if serving else None)


def _rows_by_hour(connection: sa.Connection, series_id: int, *, start: int, stop: int) -> dict[int, list[PaneRow]]:
    by_hour: dict[int, list[PaneRow]] = {}
    for row in pane_rows(connection, series_id=series_id, start=start, stop=stop):
        if row.start >= start:
            by_hour.setdefault(row.start // HOUR_MILLIS * HOUR_MILLIS, []).append(row)
    return by_hour


def _too_little(spec: ModelSpec, approval: HourApproval, events: int) -> str:
    """Return why these hours make no reference; empty when they do."""
    hours = len(approval.approved)
    if hours < HOURS_NEEDED:
        others = [
            f"{count} {text}"
            for count, text in (
                (approval.in_incidents, "had an incident"),
                (approval.not_serving, "were before the version was in production"),
                (approval.other_cells, "were counted on other cells"),
            )
            if count
        ]
        left_out = f" ({', '.join(others)})" if others else ""
        return (
            f"expected at least {HOURS_NEEDED} approved hours in the last {ROLLING_DAYS} days, found {hours}{left_out}"
        )
    if events < spec.windows.min_events:
        return f"expected at least {spec.windows.min_events} events (windows.min_events), found {events}"
    return ""


def _sums(
    connection: sa.Connection,
    base: BaseReference,
    spec: ModelSpec,
    by_hour: dict[int, list[PaneRow]],
    approved: Sequence[int],
) -> LiveSums:
    sums = LiveSums(base.profile, starts=approved, clock=spec.drift.season_clock, block_minutes=base.minutes)
    size = base.profile.layout.size
    for at in approved:
        rows = by_hour[at]
        encoded = pane_counts(connection, [row.row_id for row in rows])
        for row in rows:
            sums.add(at, decode_counts(encoded[row.row_id], size=size), events=row.events)
    return sums


def _approved_blocks(
    connection: sa.Connection,
    base: BaseReference,
    series_id: int,
    approved: Sequence[int],
    *,
    start: int,
    stop: int,
) -> LiveBlocks:
    """Return the blocks that lie in approved hours alone, or where there were no events."""
    key = BlockKey(series_id=series_id, reference_id=base.reference_id, minutes=base.minutes)
    hours = set(approved)
    length = base.minutes * MINUTE_MILLIS
    kept = [
        block
        for block in read_blocks(connection, key, start=start, stop=stop, size=base.order.size)
        if all(at in hours for at in range(block.start // HOUR_MILLIS * HOUR_MILLIS, block.start + length, HOUR_MILLIS))
    ]
    counts = np.array([block.counts for block in kept], dtype=np.int64).reshape(len(kept), base.order.size)
    return LiveBlocks(minutes=base.minutes, starts=tuple(block.start for block in kept), counts=counts)


def adopt_rolling_when_due(
    engine: sa.Engine, applied: AppliedModel, *, watermark: int, rules: WatermarkRules, now: int
) -> AdoptOutcome | None:
    """Adopt the rolling reference of *applied* when its spec wants it and its time has come; None when not.

    Its time has come when the reference in force, whichever it is, has been so for a day; and never while an incident
    of the version in production is open: who looks into it must find the reference that opened it. Where another
    decision came between, that one stays.

    Args:
        watermark: Event time (ms) up to which the model's panes are complete.
        now: Wall clock (ms).
    """
    if applied.spec.reference_policy is not ReferencePolicy.ROLLING:
        return None
    with snapshot(engine) as connection:
        current = reference_in_force(connection, applied.model_id)
        since = None if current is None else current.row.in_force_since
        if since is None or now < since + DAY_MILLIS:
            return None
        rolling = build_rolling(connection, applied, watermark=watermark, rules=rules)
    if rolling.profile is None or rolling.incident_open:
        return None
    with engine.begin() as connection:
        adopted = adopt_reference(
            connection,
            model_id=applied.model_id,
            profile=rolling.profile,
            base_id=rolling.base_id,
            after_version=applied.spec_version,
        )
    return adopted if adopted.changed else None
