"""One reference, column by column: what is in it, how it moves by itself, and from which PSI on drift is proven."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.detection import prepare
from monitor.planning.answers import ColumnPlan
from monitor.planning.comparison import comparisons_at
from monitor.planning.reference_size import few_rows
from monitor.planning.scale_plan import column_plan_of
from monitor.planning.traffic import Traffic
from monitor.reference.checks import constant_value, remarks
from monitor.reference.layout import ColumnRole, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSight:
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
class ReferenceSight:
    """A whole reference, seen by a spec at a traffic.

    Attributes:
        rows: How many there are; of weighed ones, how many equal ones they are worth.
        start, end: Epoch milliseconds of its first and last event.
        block_minutes, blocks: Its time blocks.
        correct, labelled: Right predictions, of those with a truth.
        events: In a window of each scale.
        remarks: What is odd about it as a whole, and by column.
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
    columns: tuple[ColumnSight, ...]
    remarks: tuple[str, ...]


def reference_sight(spec: ModelSpec, profile: ReferenceProfile, *, traffic: Traffic) -> ReferenceSight:
    """Return what *profile* lets *spec* see in windows of this *traffic*; the latency has no reference.

    Raises:
        BinMismatchError: The profile's bins do not fit its cells.
    """
    prepared = prepare(spec, profile)
    plans: dict[str, dict[str, ColumnPlan]] = {}
    events = {str(each): each.length * traffic.events_per_minute for each in spec.scales}
    for scale in spec.scales:
        for comparison in comparisons_at(prepared, scale):
            plan = column_plan_of(prepared, comparison, events=events[str(scale)])
            plans.setdefault(comparison.column, {})[str(scale)] = plan
    columns = []
    for at, (cells, span) in enumerate(zip(profile.layout.columns, profile.layout.spans, strict=True)):
        if cells.role is ColumnRole.LATENCY:
            continue
        scales = plans.get(cells.name, {})
        missing, invalid = (float(profile.counts[span.slots + slot]) for slot in (Slot.MISSING, Slot.INVALID))
        columns.append(
            ColumnSight(
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
                uninformative=bool(scales) and all(each.blunt or not each.concludes for each in scales.values()),
                scales=scales,
            )
        )
    small = few_rows(spec, profile)
    odd = remarks(profile, lengths=[each.length for each in spec.scales])
    return ReferenceSight(
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
        columns=tuple(columns),
        remarks=(*([small] if small else []), *(each.text for each in odd)),
    )
