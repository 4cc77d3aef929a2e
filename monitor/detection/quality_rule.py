"""Data quality of a window: missing, invalid, unseen and far values, columns that are stuck."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Indices, Mask
from monitor.detection.comparison import MISSING, SHARES, UNSEEN, Sample
from monitor.detection.evidence import Evidence, TierLevel
from monitor.detection.measurements import MeasuredWindow
from monitor.detection.prepared_reference import PreparedReference
from monitor.stats.share_shift import MINIMUM, RELATIVE, half_share_exceeds, share_excess_lows
from monitor.types import Statistic, Tier

FAR_MINIMUM = 0.05
UNSEEN_WARNING, UNSEEN_CRITICAL = 0.001, 0.05
# Of the shares in the order of SHARES; `share_tolerance` says what they mean.
TOLERANCE_MINIMUM = (MINIMUM, MINIMUM, UNSEEN_WARNING, FAR_MINIMUM)
TOLERANCE_RELATIVE = (RELATIVE, RELATIVE, 0.0, RELATIVE)
# Share of the reference up to which a column that is missing in a whole window is a removed field.
OFTEN_MISSING = 0.5

STUCK_SHARE = 0.99
HELD_SHARE = 0.5


def share_evidence(prepared: PreparedReference, measured: MeasuredWindow) -> tuple[Evidence, ...]:
    """Return the evidence that shares moved, of monitored columns with enough events, in the order of the layout."""
    reference_share, allowed = _shares_of(prepared.reference), tolerances(prepared)
    moved = np.abs(_shares_of(measured.whole) - reference_share) > allowed
    moved &= (measured.whole.totals >= prepared.min_events) & (prepared.reference.totals > 0) & judged_shares(prepared)
    columns, kinds = np.nonzero(moved)
    if not len(columns):
        return ()
    excess = _excess_lows(prepared, measured, measured.whole, columns=columns, kinds=kinds)
    candidates = zip(columns.tolist(), kinds.tolist(), excess.tolist(), allowed[moved].tolist(), strict=True)
    return tuple(
        _share_evidence(prepared, measured, column=column, kind=kind, excess_low=excess_low, tolerance=tolerance)
        for column, kind, excess_low, tolerance in candidates
        if excess_low > tolerance
    )


def share_shown_before(
    prepared: PreparedReference,
    measured: MeasuredWindow,
    previous: Sample,
    *,
    column: int,
    statistic: Statistic,
    tolerance: float,
) -> bool:
    """Return whether the *previous* disjoint window proves the same share to be off by more than *tolerance*."""
    kind = SHARES.index(statistic)
    if previous.totals[column, kind] < prepared.min_events:
        return False
    (excess_low,) = _excess_lows(
        prepared, measured, previous, columns=np.array([column]), kinds=np.array([kind])
    ).tolist()
    return bool(excess_low > tolerance)


def missing_throughout(sample: Sample, *, column: int) -> bool:
    """Return whether every event of *sample* misses the column, and there are events."""
    total = int(sample.totals[column, MISSING])
    return total > 0 and int(sample.shares[column, MISSING]) == total


def reference_share_of(prepared: PreparedReference, *, column: int, statistic: Statistic) -> float:
    """Return the share of the reference that the share *statistic* is compared with."""
    return float(_shares_of(prepared.reference)[column, SHARES.index(statistic)])


def judged_shares(prepared: PreparedReference) -> Mask:
    """Shape ``(columns, 4)``: which shares of which columns are tested."""
    can_be_unseen = ~prepared.numeric | prepared.constant
    columns = [np.ones_like(prepared.monitored), np.ones_like(prepared.monitored), can_be_unseen, prepared.numeric]
    judged: Mask = np.column_stack(columns) & prepared.monitored[:, np.newaxis]
    return judged


def tolerances(prepared: PreparedReference) -> Float64s:
    """Shape ``(columns, 4)``: by how much each share may differ, `share_tolerance` of all of them at once."""
    allowed: Float64s = np.maximum(TOLERANCE_MINIMUM, TOLERANCE_RELATIVE * _shares_of(prepared.reference))
    return allowed


def _share_evidence(
    prepared: PreparedReference,
    measured: MeasuredWindow,
    *,
    column: int,
    kind: int,
    excess_low: float,
    tolerance: float,
) -> Evidence:
    share, reference_share = (
        float(_shares_of(sample)[column, kind]) for sample in (measured.whole, prepared.reference)
    )
    if kind == MISSING and reference_share < OFTEN_MISSING and missing_throughout(measured.whole, column=column):
        in_halves = all(missing_throughout(half.sample, column=column) for half in measured.halves)
        level = TierLevel(tier=Tier.ALERT, threshold=tolerance, in_halves=in_halves, needs_previous=False)
        return Evidence(column=column, statistic=Statistic.SCHEMA, value=share, bound=excess_low, levels=(level,))
    tiers = [(Tier.ALERT, tolerance, True), (Tier.WARNING, tolerance, False)]
    if kind == UNSEEN and excess_low > UNSEEN_CRITICAL:
        tiers.insert(0, (Tier.CRITICAL, UNSEEN_CRITICAL, True))
    levels = tuple(
        TierLevel(
            tier=tier,
            threshold=threshold,
            in_halves=_in_halves(prepared, measured, column=column, kind=kind, tolerance=threshold),
            needs_previous=needs_previous,
        )
        for tier, threshold, needs_previous in tiers
    )
    return Evidence(column=column, statistic=SHARES[kind], value=share, bound=excess_low, levels=levels)


def _excess_lows(
    prepared: PreparedReference, measured: MeasuredWindow, sample: Sample, *, columns: Indices, kinds: Indices
) -> Float64s:
    """Return the proven difference of each share from the reference's, shape as of *columns* and *kinds*."""
    reference = prepared.reference
    known = reference.shares[columns, kinds]
    # That the reference has no unseen value is what the word says, however few rows it has.
    by_definition = (kinds == UNSEEN) & (known == 0)
    return share_excess_lows(
        known,
        np.where(by_definition, np.inf, reference.totals[columns, kinds]),
        sample.shares[columns, kinds],
        sample.totals[columns, kinds],
        minimum=np.array(TOLERANCE_MINIMUM)[kinds],
        relative=np.array(TOLERANCE_RELATIVE)[kinds],
        alpha=np.where(kinds == UNSEEN, prepared.unseen_alpha, prepared.alpha),
        block_variance=measured.movement.share_variance[columns, kinds],
    )


def _in_halves(
    prepared: PreparedReference, measured: MeasuredWindow, *, column: int, kind: int, tolerance: float
) -> bool:
    reference_count = int(prepared.reference.shares[column, kind])
    m = int(prepared.reference.totals[column, kind])
    for half in measured.halves:
        count, n = int(half.sample.shares[column, kind]), int(half.sample.totals[column, kind])
        if n == 0 or not half_share_exceeds(reference_count, m, count, n, tolerance=tolerance):
            return False
    return True


def _shares_of(sample: Sample) -> Float64s:
    shares: Float64s = sample.shares / np.maximum(sample.totals, 1)
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaviestCell:
    """The cell that holds most of a half's values: its index among the compared counts, and its shares."""

    cell: int
    share: float
    reference_share: float


def heaviest_cell(prepared: PreparedReference, measured: MeasuredWindow, *, column: int) -> HeaviestCell | None:
    """Return the heaviest cell of the second half, None without values; BELOW and ABOVE are cells too."""
    start = int(prepared.order.columns[column])
    half, reference = measured.halves[1].sample, measured.halves[1].reference
    n, m = int(half.n[column]), float(reference.n[column])
    if n == 0 or m == 0:
        return None
    stop = start + len(prepared.bins[column]) + 2 * int(prepared.numeric[column])
    cell = start + int(np.argmax(half.cells[start:stop]))
    return HeaviestCell(cell=cell, share=int(half.cells[cell]) / n, reference_share=float(reference.cells[cell]) / m)


def stuck_evidence(prepared: PreparedReference, measured: MeasuredWindow, drift: Evidence) -> Evidence | None:
    """Return what a proven *drift* of a column really is, when the second half holds one value: a stuck field.

    Only a drift that is proven already can be stuck: the hour of the day, too, stands still for a whole window, and
    it is the natural movement in the drift's proof that knows this. The second half as a whole is the endurance.
    """
    heaviest = heaviest_cell(prepared, measured, column=drift.column)
    if heaviest is None or heaviest.share < STUCK_SHARE or heaviest.reference_share >= HELD_SHARE:
        return None
    if int(measured.halves[1].sample.n[drift.column]) < prepared.min_events // 2:
        return None
    if _is_outside(prepared, drift, heaviest):
        return None
    levels = tuple(
        TierLevel(tier=tier, threshold=STUCK_SHARE, in_halves=True, needs_previous=needs_previous)
        for tier, needs_previous in ((Tier.ALERT, True), (Tier.WARNING, False))
    )
    return Evidence(
        column=drift.column, statistic=Statistic.STUCK, value=heaviest.share, bound=heaviest.share, levels=levels
    )


def _is_outside(prepared: PreparedReference, drift: Evidence, heaviest: HeaviestCell) -> bool:
    """Return whether the cell is BELOW or ABOVE, where many values look like one."""
    if not prepared.numeric[drift.column]:
        return False
    start = int(prepared.order.columns[drift.column])
    return heaviest.cell in (start, start + len(prepared.bins[drift.column]) + 1)
