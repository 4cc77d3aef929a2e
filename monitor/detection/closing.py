"""Closing: which columns are not calm, on values without what chance and natural movement add (statistics §3.4).

An incident is opened by a lower bound of PSI or D and closed by the value itself. PSI is never 0: sampling and natural
movement add (B - 1)(1/n + 1/m + kappa) on average, which at 200 events a window is half of a tier. A raw PSI of many
columns is therefore never calm; a column is calm when what is left of its own is under `close_ratio` of the tier, or
when it is no larger than what the column reaches by itself in one of three hundred windows.
"""

import math

import numpy as np

from monitor.arrays import Float64s, Indices
from monitor.detection.measurements import MeasuredWindow
from monitor.detection.prepared_reference import PreparedReference
from monitor.results import Finding, RestlessColumn
from monitor.spec.model import DriftRule
from monitor.stats.psi_bounds import distance_level
from monitor.types import IncidentKind, Tier

MEAN_DISTANCE = math.sqrt(math.pi / 2.0) * math.log(2.0)
"""Mean of Kolmogorov's distribution: D of two samples without a change is this by √(1/n + 1/m) on average."""

QUIET_ALPHA = 0.003
"""A column is calm up to the PSI that its movement passes in so many of its quiet windows.

Two calm windows in a row must be likely for each of two hundred columns that wander: with 0.25 half of these incidents
were open for eight windows and more, with 0.003 for under three (docs/statistics.md). Opening asks for a thousandth of
this and for endurance, so that nothing flaps.
"""


def restless_columns(
    prepared: PreparedReference, measured: MeasuredWindow, findings: tuple[Finding, ...]
) -> tuple[RestlessColumn, ...] | None:
    """Return the monitored columns that are not calm, in the order of the layout; None where none could be judged.

    A column that cannot be judged because its field is broken is not calm: bad data closes no incident.
    """
    judged = np.flatnonzero(prepared.monitored & measured.conclusive)
    if not len(judged):
        return None
    names = [column.name for column in prepared.layout.columns]
    sizes, held = _tiers_held(prepared, measured, judged)
    tiers = {names[column]: (held[at], sizes[at]) for at, column in enumerate(judged.tolist()) if sizes[at]}
    for finding in findings:
        if finding.kind is IncidentKind.DRIFT:
            # Findings of the textbook rule and of the panes may be of a column that is calm by size.
            held_tier, size = tiers.get(finding.column, (0, 0))
            tiers[finding.column] = (max(held_tier, finding.tier), max(size, finding.tier))
    broken = {finding.column for finding in findings if finding.kind is IncidentKind.DATA_QUALITY}
    for name, conclusive in zip(names, measured.conclusive.tolist(), strict=True):
        if name in broken and not conclusive:
            tiers[name] = (Tier.CRITICAL, Tier.CRITICAL)
    return tuple(RestlessColumn(name, Tier(tiers[name][0]), Tier(tiers[name][1])) for name in names if name in tiers)


def calm_below(restless: tuple[RestlessColumn, ...] | None) -> tuple[bool, bool, bool] | None:
    """Return for warning, alert and critical whether every column is under the closing threshold."""
    if restless is None:
        return None
    highest = max((column.tier for column in restless), default=Tier.NONE)
    return (highest < Tier.WARNING, highest < Tier.ALERT, highest < Tier.CRITICAL)


def _tiers_held(prepared: PreparedReference, measured: MeasuredWindow, judged: Indices) -> tuple[list[int], list[int]]:
    """Return of each of *judged* the highest tier that it is not calm below: by size, and by size and movement."""
    textbook = prepared.drift.rule is DriftRule.TEXTBOOK
    psi, distances = measured.psi[judged], np.where(prepared.numeric[judged], measured.distances[judged], 0.0)
    variance = _variance(measured, judged)
    mean_psi = np.zeros(len(judged)) if textbook else (prepared.order.bins_per_column[judged] - 1) * variance
    mean_distance = np.zeros(len(judged)) if textbook else MEAN_DISTANCE * np.sqrt(variance)
    tiers, ratio = prepared.drift.tiers, prepared.drift.close_ratio
    edges = ratio * np.array([tiers.warning, tiers.alert, tiers.critical])
    by_psi = np.searchsorted(edges, psi - mean_psi, side="right")
    by_distance = (distances - mean_distance >= ratio * prepared.drift.ks_warning).astype(np.intp)
    sizes = np.maximum(by_psi, by_distance)
    held = sizes.copy()
    large = np.flatnonzero(sizes)
    if len(large) and not textbook:
        levels = measured.movement.quiet_levels(
            prepared.order.bins_per_column,
            n=measured.whole.n,
            m=measured.reference.n,
            columns=judged[large].tolist(),
            alpha=QUIET_ALPHA,
        )
        by_psi = np.where(psi[large] > levels, by_psi[large], 0)
        by_distance = np.where(distances[large] > distance_level(levels), by_distance[large], 0)
        held[large] = np.maximum(by_psi, by_distance)
    return sizes.tolist(), held.tolist()


def _variance(measured: MeasuredWindow, judged: Indices) -> Float64s:
    variance: Float64s = (
        1.0 / measured.whole.n[judged] + 1.0 / measured.reference.n[judged] + measured.movement.kappa[judged]
    )
    return variance
