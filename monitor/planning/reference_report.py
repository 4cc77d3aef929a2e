"""The report on a reference: what it lets a spec detect, column by column; and whether it has enough rows."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.detection import PreparedReference, prepare_reference
from monitor.planning.column_comparison import comparisons_at
from monitor.planning.power import column_plan_of
from monitor.planning.results import ColumnPlan, Traffic, reference_traffic
from monitor.reference.checks import constant_value, remarks
from monitor.reference.layout import ColumnRole, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.stats.psi_bounds import tier_threshold
from monitor.stats.psi_variance import shift_threshold
from monitor.types import Scale

BINS = 10  # deciles: what most numeric columns are compared in
PLENTY = 1e9  # events of a window whose traffic is not known: the reference alone limits what it proves
MOST_ROWS = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsForScale:
    """What a reference of so many rows proves at one scale, of a column in deciles without natural movement.

    Attributes:
        events: In a window, at the reference's own pace; None: not known.
        proven_from: The observed PSI that proves the warning tier.
        needed: Rows with which a PSI of the critical tier proves it; None: the window has too few events for that,
            whatever the reference.
    """

    scale: Scale
    events: float | None
    proven_from: float
    needed: int | None


def rows_for_scales(spec: ModelSpec, profile: ReferenceProfile) -> tuple[RowsForScale, ...]:
    """Return the answer for each scale whose windows have enough events to be judged, shortest first.

    All scales where the pace is not known.
    """
    prepared, traffic, tiers = prepare_reference(spec, profile), reference_traffic(profile), spec.drift.tiers

    def proven_from(rows: int, n: float) -> float:
        by_index = tier_threshold(tiers.warning, bins=BINS, n=n, m=rows, alpha=prepared.alpha)
        by_variance = shift_threshold(tiers.warning, bins=BINS, n=n, m=rows, kappa=0.0, alpha=prepared.alpha)
        return max(by_index, by_variance)

    def needed(n: float) -> int | None:
        if proven_from(MOST_ROWS, n) > tiers.critical:
            return None
        return bisect_left(range(MOST_ROWS), True, lo=1, key=lambda rows: proven_from(rows, n) <= tiers.critical)

    rows_of_scales = []
    for scale in spec.scales:
        events = None if traffic is None else traffic.events_per_minute * scale.length
        if events is None or events >= prepared.min_events:
            n = PLENTY if events is None else events
            proven = proven_from(max(profile.rows, 1), n)
            rows_of_scales.append(RowsForScale(scale=scale, events=events, proven_from=proven, needed=needed(n)))
    return tuple(rows_of_scales)


def too_few_rows(spec: ModelSpec, profile: ReferenceProfile) -> str | None:
    """Return why the reference is refused, None when it is not.

    Refused is what would not be judged as a window either: such a reference proves nothing, and its silence would be
    taken for good news.
    """
    least = spec.windows.min_events
    if profile.rows >= least:
        return None
    rows = f"{profile.rows:,} rows" if profile.rows != 1 else "one row"
    if profile.weighed_rows:
        rows = f"{profile.weighed_rows:,} weighed rows worth {profile.rows:,}"
    return f"expected at least {least:,} rows (windows.min_events), found {rows}{_enough(spec, profile)}"


def few_rows(spec: ModelSpec, profile: ReferenceProfile) -> str | None:
    """Return what a reference that is not refused is too small for, None when it is small for nothing."""
    limited = [
        row
        for row in rows_for_scales(spec, profile)
        if row.needed is not None and profile.rows < row.needed and row.proven_from > spec.drift.tiers.critical
    ]
    if not limited:
        return None
    first = limited[0]
    return (
        f"{profile.rows:,} rows are few: at {first.scale} drift is proven from a PSI of {first.proven_from:.2f} on"
        f"{_enough(spec, profile)}."
    )


def _enough(spec: ModelSpec, profile: ReferenceProfile) -> str:
    known = [row for row in rows_for_scales(spec, profile) if row.needed is not None]
    if not known:
        return ""
    critical = spec.drift.tiers.critical
    chosen = known[:1] if known[0].needed == known[-1].needed else [known[0], known[-1]]
    parts = [
        f"{row.needed:,} for {row.scale}{'' if row.events is None else f' (about {row.events:,.0f} events)'}"
        for row in chosen
    ]
    return f"; rows that prove drift where a window shows a PSI of {critical:g}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """One column of a reference.

    Attributes:
        missing, invalid: Shares of the reference's rows.
        seasonal: Windows are compared with the same hours of it.
        constant: Its only value; None where there are several.
        uninformative: At no scale would PSI prove a warning before it passed the critical tier.
        scales: By scale as in the spec; empty for what is not judged.
    """

    name: str
    kind: str
    role: str
    cells: int
    bins: int
    missing: float
    invalid: float
    importance: float | None
    monitored: bool
    seasonal: bool
    constant: str | None
    uninformative: bool
    scales: Mapping[str, ColumnPlan]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceReport:
    """A whole reference, judged for a spec and its traffic.

    Attributes:
        rows: How many there are; of weighed ones, how many equal ones they are worth.
        start, end: Epoch milliseconds of its first and last event.
        block_minutes, blocks: Its time blocks.
        correct, labelled: Right predictions, of those with a truth.
        events: In a window of each scale.
        remarks: On it as a whole, and by column.
    """

    source: str
    rows: int
    weighed_rows: int
    start: int | None
    end: int | None
    block_minutes: int
    blocks: int
    correct: int
    labelled: int
    traffic: Traffic
    events: Mapping[str, float]
    columns: tuple[ColumnReport, ...]
    remarks: tuple[str, ...]


def reference_report(spec: ModelSpec, profile: ReferenceProfile, *, traffic: Traffic) -> ReferenceReport:
    """Return what *profile* lets *spec* detect in windows of this *traffic*; the latency has no reference.

    Raises:
        BinMismatchError: The profile's bins do not fit its cells.
    """
    prepared = prepare_reference(spec, profile)
    plans: dict[str, dict[str, ColumnPlan]] = {}
    events = {str(scale): scale.length * traffic.events_per_minute for scale in spec.scales}
    for scale in spec.scales:
        for comparison in comparisons_at(prepared, scale):
            plan = column_plan_of(prepared, comparison, events=events[str(scale)])
            plans.setdefault(comparison.column, {})[str(scale)] = plan
    small = few_rows(spec, profile)
    column_remarks = remarks(profile, lengths=[scale.length for scale in spec.scales])
    return ReferenceReport(
        source=profile.source,
        rows=profile.rows,
        weighed_rows=profile.weighed_rows,
        start=profile.start,
        end=profile.end,
        block_minutes=profile.block_minutes,
        blocks=len(profile.block_starts),
        correct=profile.correct,
        labelled=profile.labelled,
        traffic=traffic,
        events=events,
        columns=_column_reports(prepared, profile, plans),
        remarks=(*([small] if small else []), *(remark.text for remark in column_remarks)),
    )


def _column_reports(
    prepared: PreparedReference, profile: ReferenceProfile, plans: Mapping[str, Mapping[str, ColumnPlan]]
) -> tuple[ColumnReport, ...]:
    columns = []
    for at, (cells, span) in enumerate(zip(profile.layout.columns, profile.layout.spans, strict=True)):
        if cells.role is ColumnRole.LATENCY:
            continue
        scales = plans.get(cells.name, {})
        missing, invalid = (float(profile.counts[span.slots + slot]) for slot in (Slot.MISSING, Slot.INVALID))
        columns.append(
            ColumnReport(
                name=cells.name,
                kind=cells.kind.value,
                role=cells.role.value,
                cells=cells.cells,
                bins=int(prepared.order.bins_per_column[at]),
                missing=missing / profile.rows,
                invalid=invalid / profile.rows,
                importance=prepared.importance[at],
                monitored=bool(prepared.monitored[at]),
                seasonal=prepared.seasonal is not None and bool(prepared.seasonal.columns[at]),
                constant=constant_value(cells),
                uninformative=bool(scales) and all(scale.blunt or not scale.concludes for scale in scales.values()),
                scales=scales,
            )
        )
    return tuple(columns)
