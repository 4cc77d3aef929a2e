"""The sentences that explain a finding and a window, built from the numbers that are stored."""

import numpy as np

from monitor.decide.anytime import STATISTIC as ANYTIME
from monitor.decide.claim import Level, Settled
from monitor.decide.drift import tier_levels
from monitor.decide.labels import bin_label, cell_label, percent, span_words
from monitor.decide.measure import Measured
from monitor.decide.prepare import Prepared
from monitor.decide.shares import reference_share_of
from monitor.decide.stuck import heaviest_cell
from monitor.findings import Finding, index_text, nothing_moved_sentence
from monitor.types import IncidentKind, Tier


def finding_sentence(prepared: Prepared, measured: Measured, settled: Settled) -> str:
    """Return why this claim was settled as it was."""
    claim = settled.claim
    name = f"`{prepared.layout.columns[claim.column].name}`"
    if claim.kind is IncidentKind.DRIFT:
        parts = [_drift_numbers(prepared, settled), _evidence(prepared, measured, settled)]
        parts += [_endurance(prepared, settled), _largest_change(prepared, measured, column=claim.column)]
    else:
        parts = [_quality_numbers(prepared, measured, settled), _window(measured), _endurance(prepared, settled)]
    return f"{name}: " + "; ".join(part for part in parts if part) + "."


def window_sentence(prepared: Prepared, measured: Measured, findings: tuple[Finding, ...]) -> str:
    """Return the worst finding's sentence and the names of the others, or that nothing moved.

    Args:
        findings: Worst first.
    """
    if findings:
        first = findings[0]
        lead = "" if first.endured else "nothing endured: "
        rest = [f"`{each.column}` ({each.statistic})" for each in findings[1:] if each.endured]
        also = f" Also: {', '.join(rest)}." if rest else ""
        return f"{lead}{first.sentence}{also}"
    judged = np.flatnonzero(prepared.monitored & measured.conclusive)
    if len(judged) == 0:
        return f"nothing to judge: no monitored column has enough values among {measured.events:,} events."
    largest = int(judged[np.argmax(measured.psi[judged])])
    name = prepared.layout.columns[largest].name
    psi = float(measured.psi[largest])
    if psi > prepared.drift.tiers.warning:
        moves = f"naturally moves ×{measured.phi[largest]:.1f}"
        return f"nothing proven: largest PSI {index_text(psi)} (`{name}`, {moves}), {measured.events:,} events."
    return nothing_moved_sentence(name, psi=psi, events=measured.events)


def inconclusive_sentence(reason: str, *, events: int, min_events: int, minutes: int) -> str:
    """Return why a whole window says nothing."""
    if reason == "no_events":
        return f"no events in this {span_words(minutes)} window."
    if reason == "too_few_events":
        return f"too few events: {events:,} in this {span_words(minutes)} window, at least {min_events:,} needed."
    return f"nothing to compare with: the reference has no values ({events:,} events)."


def _drift_numbers(prepared: Prepared, settled: Settled) -> str:
    claim, drift = settled.claim, prepared.drift
    if claim.statistic == ANYTIME:
        needed = settled.level.threshold
        return (
            f"a lasting change is proven pane by pane (evidence 10^{claim.value:.1f}, 10^{needed:.1f} needed):"
            f" falsely once in {10.0**needed:,.0f} panes at most"
        )
    word = "PSI" if claim.statistic == "psi" else "KS distance"
    if drift.rule == "textbook":
        compared = "over" if claim.statistic == "psi" else f"p-value {claim.bound:.2g} under"
        return f"{word} {index_text(claim.value)}, {compared} {settled.level.threshold:g} (textbook rule)"
    limits = tier_levels(drift.tiers)[::-1] if claim.statistic == "psi" else ((Tier.WARNING, drift.ks_warning),)
    proven = [f"{tier.name.lower()} {limit:g} proven" for tier, limit in limits if claim.bound > limit]
    missed = [f"{tier.name.lower()} {limit:g} not" for tier, limit in limits if claim.bound <= limit]
    # The first tier that is not proven says how far it was; those above it follow.
    said = ", ".join(proven + missed[:1])
    bound = f"at least {index_text(claim.bound)} at {100 * (1 - drift.alpha):g} %"
    return f"{word} {index_text(claim.value)} ({bound}): {said}"


def _evidence(prepared: Prepared, measured: Measured, settled: Settled) -> str:
    column = settled.claim.column
    window = f"{span_words(measured.scale.length)} window, {int(measured.whole.n[column]):,} events"
    if prepared.drift.rule == "textbook":
        return window
    status = measured.movement.statuses[column]
    if status == "uncalibrated":
        return f"{window}, this column's natural movement is uncalibrated"
    estimated = " (estimated)" if status == "estimated" else ""
    if prepared.seasonal is not None and prepared.seasonal.columns[column]:
        window = f"{window}, compared with the same hours of the reference"
    return f"{window}, this column naturally moves ×{measured.phi[column]:.1f}{estimated}"


def _endurance(prepared: Prepared, settled: Settled) -> str:
    claim = settled.claim
    if claim.kind is IncidentKind.DRIFT and prepared.drift.rule == "textbook":
        return ""
    if claim.statistic == ANYTIME:
        return ""  # the proof is of the change's lasting
    if claim.statistic == "stuck":
        shown = "the whole second half"
    elif not settled.endured:
        return "not in both halves, so nothing is done"
    else:
        shown = "both halves"
    if settled.level.needs_previous:
        return f"{shown}, and in the window before"
    higher = [level for level in claim.levels if level.tier > settled.level.tier]
    return f"{shown}{_held_back(higher)}"


def _held_back(higher: list[Level]) -> str:
    if not higher:
        return ""
    word = higher[-1].tier.name.lower()
    return f", {word} not yet: {'not in the window before' if higher[-1].in_halves else 'not in both halves'}"


def _largest_change(prepared: Prepared, measured: Measured, *, column: int) -> str:
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


def _quality_numbers(prepared: Prepared, measured: Measured, settled: Settled) -> str:
    claim = settled.claim
    if claim.statistic == "stuck":
        return _stuck_numbers(prepared, measured, settled)
    statistic = "missing" if claim.statistic == "schema" else claim.statistic
    reference = percent(reference_share_of(prepared, column=claim.column, statistic=statistic))
    if claim.statistic == "schema":
        return f"missing in all events, reference {reference}: the field is gone or has another name"
    confidence = f"{100 * (1 - prepared.drift.alpha):g} %"
    allowed = f"at least {percent(claim.bound)} off at {confidence}, {percent(settled.level.threshold)} is allowed"
    words = {
        "missing": "missing in {} of events",
        "invalid": "invalid in {} of events",
        "unseen": "a value the reference never had in {} of events",
        "far": "{} of values far outside the reference's range (another unit?)",
    }
    return f"{words[statistic].format(percent(claim.value))}, reference {reference}; {allowed}"


def _stuck_numbers(prepared: Prepared, measured: Measured, settled: Settled) -> str:
    column = settled.claim.column
    found = heaviest_cell(prepared, measured, column=column)
    if found is None:  # a stuck claim has a heaviest cell by construction
        return "stuck"
    label = cell_label(prepared.layout.columns[column], prepared.cell_number(column, found.cell))
    return f"stuck at {label}: {percent(found.share)} of the second half, reference {percent(found.reference_share)}"


def _window(measured: Measured) -> str:
    return f"{span_words(measured.scale.length)} window, {measured.events:,} events"
