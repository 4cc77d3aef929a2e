"""The sentences that explain a finding, and the words they use."""

import math

import numpy as np

from monitor.detection.drift_rule import tier_levels
from monitor.detection.evidence import EvidenceOutcome, TierLevel
from monitor.detection.measurements import MeasuredWindow
from monitor.detection.prepared_reference import PreparedReference
from monitor.detection.quality_rule import heaviest_cell, reference_share_of
from monitor.humanize import index_text, percent, span_words
from monitor.reference.layout import ColumnCells
from monitor.results import Finding, nothing_moved_sentence
from monitor.spec.model import ColumnKind, DriftRule
from monitor.stats.heavy_hitters import FrequentValues
from monitor.types import Calibration, IncidentKind, InconclusiveReason, Statistic, Tier

VALUES_SHOWN = 5
SHARE_WORDS = {
    Statistic.MISSING: "missing in {} of events",
    Statistic.INVALID: "invalid in {} of events",
    Statistic.UNSEEN: "a value the reference never had in {} of events",
    Statistic.FAR: "{} of values far outside the reference's range (another unit?)",
}
"""What is said of a share, for each of `SHARES`."""
WARMING_SENTENCE = "The prediction of this version is warming up: not judged for drift."


def bin_label(column: ColumnCells, bins: tuple[int, ...], index: int) -> str:
    """Return the name of bin *index* of a column, *bins* being the bin of each cell: an interval, or categories."""
    first, cells = bins.index(index), bins.count(index)
    if column.kind is ColumnKind.CATEGORICAL:
        return f"`{column.categories[first]}`" if cells == 1 else f"{cells} rare categories together"
    return _interval(column, first=first, last=first + cells - 1, open_low=first == 0)


def cell_label(column: ColumnCells, cell: int) -> str:
    """Return the name of one cell: its value, its interval or its category."""
    if column.kind is ColumnKind.CATEGORICAL:
        return f"`{column.categories[cell]}`"
    return _interval(column, first=cell, last=cell, open_low=False)


def values_label(values: FrequentValues) -> str:
    """Return which values these are, with their shares: "`DE-BY` 61 %, `n/a` 22 %, others 17 %"; empty for none.

    A share is at least so large; what is left of it is among the others (`frequent_values`).
    """
    named = [(value, count) for value, count in values.counts[:VALUES_SHOWN] if count]
    said = [f"`{value}` {percent(count / values.total)}" for value, count in named]
    rest = values.total - sum(count for _, count in named)
    examples = ", ".join(f"`{value}`" for value, count in values.counts if not count)
    if rest and examples:
        said.append(f"many others, such as {examples}")
    elif rest:
        said.append(f"others {percent(rest / values.total)}")
    return ", ".join(said)


def _interval(column: ColumnCells, *, first: int, last: int, open_low: bool) -> str:
    """The cells ``first … last``; an edge just past a point cell's value is that value, excluded."""
    if first == last and column.points[first] and not open_low:
        return f"{column.edges[first]:.4g}"
    low_excluded = first > 0 and _follows_point(column, first)
    low = column.edges[first - 1] if low_excluded else column.edges[first]
    if last + 1 == len(column.edges):
        return f"{'above' if low_excluded else 'from'} {low:.4g}"
    high_included = _follows_point(column, last + 1)
    high = column.edges[last] if high_included else column.edges[last + 1]
    if open_low:
        return f"{'up to' if high_included else 'under'} {high:.4g}"
    return f"{'(' if low_excluded else '['}{low:.4g}, {high:.4g}{']' if high_included else ')'}"


def _follows_point(column: ColumnCells, cell: int) -> bool:
    before = column.edges[cell - 1]
    return column.points[cell - 1] and column.edges[cell] == math.nextafter(before, math.inf)


def finding_sentence(prepared: PreparedReference, measured: MeasuredWindow, settled: EvidenceOutcome) -> str:
    """Return what was measured, what it proves and how long it endured."""
    evidence = settled.evidence
    name = f"`{prepared.layout.columns[evidence.column].name}`"
    if evidence.kind is IncidentKind.DRIFT:
        parts = [_drift_numbers(prepared, settled), _window_and_movement(prepared, measured, settled)]
        parts += [_endurance(prepared, settled), _largest_change(prepared, measured, column=evidence.column)]
    else:
        parts = [_quality_numbers(prepared, measured, settled), _window(measured), _endurance(prepared, settled)]
    return f"{name}: " + "; ".join(part for part in parts if part) + "."


def window_sentence(prepared: PreparedReference, measured: MeasuredWindow, findings: tuple[Finding, ...]) -> str:
    """Return the worst finding's sentence and the names of the others, or that nothing moved.

    Args:
        findings: Worst first.
    """
    if findings:
        first = findings[0]
        lead = "" if first.endured else "nothing endured: "
        rest = [f"`{finding.column}` ({finding.statistic})" for finding in findings[1:] if finding.endured]
        also = f" Also: {', '.join(rest)}." if rest else ""
        return f"{lead}{first.sentence}{also}"
    judged = np.flatnonzero(prepared.monitored & measured.conclusive)
    warming = f" {WARMING_SENTENCE}" if prepared.warming.any() else ""
    if len(judged) == 0:
        return f"nothing to judge: no monitored column has enough values among {measured.events:,} events.{warming}"
    largest = int(judged[np.argmax(measured.psi[judged])])
    name = prepared.layout.columns[largest].name
    psi = float(measured.psi[largest])
    if psi > prepared.drift.tiers.warning:
        moves = f"naturally moves ×{measured.phi[largest]:.1f}"
        return (
            f"nothing proven: largest PSI {index_text(psi)} (`{name}`, {moves}), {measured.events:,} events.{warming}"
        )
    return nothing_moved_sentence(name, psi=psi, events=measured.events) + warming


def inconclusive_sentence(reason: InconclusiveReason, *, events: int, min_events: int, minutes: int) -> str:
    """Return why a whole window says nothing."""
    if reason is InconclusiveReason.NO_EVENTS:
        return f"no events in this {span_words(minutes)} window."
    if reason is InconclusiveReason.TOO_FEW_EVENTS:
        return f"too few events: {events:,} in this {span_words(minutes)} window, at least {min_events:,} needed."
    if reason is InconclusiveReason.WARMING_UP:
        return f"warming up: what this version predicts is still being learnt ({events:,} events)."
    return f"nothing to compare with: the reference has no values ({events:,} events)."


def _drift_numbers(prepared: PreparedReference, settled: EvidenceOutcome) -> str:
    evidence, drift = settled.evidence, prepared.drift
    if evidence.statistic is Statistic.ANYTIME:
        needed = settled.level.threshold
        return (
            f"a lasting change is proven pane by pane (evidence 10^{evidence.value:.1f}, 10^{needed:.1f} needed):"
            f" falsely once in {10.0**needed:,.0f} panes at most"
        )
    by_psi = evidence.statistic is Statistic.PSI
    word = "PSI" if by_psi else "KS distance"
    if drift.rule is DriftRule.TEXTBOOK:
        compared = "over" if by_psi else f"p-value {evidence.bound:.2g} under"
        return f"{word} {index_text(evidence.value)}, {compared} {settled.level.threshold:g} (textbook rule)"
    limits = tier_levels(drift.tiers)[::-1] if by_psi else ((Tier.WARNING, drift.ks_warning),)
    proven = [f"{tier.word} {limit:g} proven" for tier, limit in limits if evidence.bound > limit]
    missed = [f"{tier.word} {limit:g} not" for tier, limit in limits if evidence.bound <= limit]
    # The first tier that is not proven says how far it was; those above it follow.
    said = ", ".join(proven + missed[:1])
    bound = f"at least {index_text(evidence.bound)} at {100 * (1 - drift.alpha):g} %"
    return f"{word} {index_text(evidence.value)} ({bound}): {said}"


def _window_and_movement(prepared: PreparedReference, measured: MeasuredWindow, settled: EvidenceOutcome) -> str:
    column = settled.evidence.column
    window = f"{span_words(measured.scale.length)} window, {int(measured.whole.n[column]):,} events"
    if prepared.drift.rule is DriftRule.TEXTBOOK:
        return window
    if prepared.own[column]:
        window = f"{window}, compared with this version's own reference"
    calibration = measured.movement.calibrations[column]
    if calibration is Calibration.UNCALIBRATED:
        return f"{window}, this column's natural movement is uncalibrated"
    estimated = " (estimated)" if calibration is Calibration.ESTIMATED else ""
    if prepared.seasonal is not None and prepared.seasonal.columns[column]:
        window = f"{window}, compared with the same hours of the reference"
    return f"{window}, this column naturally moves ×{measured.phi[column]:.1f}{estimated}"


def _endurance(prepared: PreparedReference, settled: EvidenceOutcome) -> str:
    evidence = settled.evidence
    if evidence.kind is IncidentKind.DRIFT and prepared.drift.rule is DriftRule.TEXTBOOK:
        return ""
    if evidence.statistic is Statistic.ANYTIME:
        return ""  # the proof is of the change's lasting
    if evidence.statistic is Statistic.STUCK:
        shown = "the whole second half"
    elif not settled.endured:
        return "not in both halves, so nothing is done"
    else:
        shown = "both halves"
    if settled.level.needs_previous:
        return f"{shown}, and in the window before"
    higher = [level for level in evidence.levels if level.tier > settled.level.tier]
    return f"{shown}{_held_back(higher)}"


def _held_back(higher: list[TierLevel]) -> str:
    if not higher:
        return ""
    word = higher[-1].tier.word
    return f", {word} not yet: {'not in the window before' if higher[-1].in_halves else 'not in both halves'}"


def _largest_change(prepared: PreparedReference, measured: MeasuredWindow, *, column: int) -> str:
    order = prepared.order
    first = int(order.columns_of_bins[column])
    bins = slice(first, first + int(order.bins_per_column[column]))
    share = measured.whole.bins[bins] / measured.whole.n[column]
    reference_share = measured.reference.bins[bins] / measured.reference.n[column]
    moved = int(np.argmax(np.abs(share - reference_share)))
    # The order of comparison sorts bins by number, but a column may leave numbers out.
    number = sorted(set(prepared.bins[column]))[moved]
    label = bin_label(prepared.layout.columns[column], prepared.bins[column], number)
    return f"largest change {label}: {percent(share[moved])} of events, reference {percent(reference_share[moved])}"


def _quality_numbers(prepared: PreparedReference, measured: MeasuredWindow, settled: EvidenceOutcome) -> str:
    evidence = settled.evidence
    if evidence.statistic is Statistic.STUCK:
        return _stuck_numbers(prepared, measured, settled)
    statistic = Statistic.MISSING if evidence.statistic is Statistic.SCHEMA else evidence.statistic
    reference = percent(reference_share_of(prepared, column=evidence.column, statistic=statistic))
    if evidence.statistic is Statistic.SCHEMA:
        return f"missing in all events, reference {reference}: the field was removed or renamed"
    confidence = f"{100 * (1 - prepared.drift.alpha):g} %"
    allowed = f"at least {percent(evidence.bound)} off at {confidence}, {percent(settled.level.threshold)} is allowed"
    return f"{SHARE_WORDS[statistic].format(percent(evidence.value))}, reference {reference}; {allowed}"


def _stuck_numbers(prepared: PreparedReference, measured: MeasuredWindow, settled: EvidenceOutcome) -> str:
    column = settled.evidence.column
    heaviest = heaviest_cell(prepared, measured, column=column)
    if heaviest is None:  # what is stuck has a heaviest cell by construction
        return "stuck"
    label = cell_label(prepared.layout.columns[column], prepared.cell_number(column, heaviest.cell))
    return (
        f"stuck at {label}: {percent(heaviest.share)} of the second half, reference {percent(heaviest.reference_share)}"
    )


def _window(measured: MeasuredWindow) -> str:
    return f"{span_words(measured.scale.length)} window, {measured.events:,} events"
