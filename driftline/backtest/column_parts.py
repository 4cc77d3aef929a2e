"""Which columns caused what, and how the PSI of those that moved most went over time; pure."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from driftline.backtest.outcome import BacktestOutcome
from driftline.backtest.report import ColumnPart
from driftline.backtest.report_curves import PsiTrack
from driftline.backtest.scale_parts import ALARMING, input_windows
from driftline.backtest.tracks import Floats
from monitor.reference.layout import ColumnRole
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.types import IncidentKind, Scale, Tier

TRACKS_SHOWN = 6
CALM_TRACKS_SHOWN = 3  # to see that nothing happened
HOUR = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Largest:
    psi: float
    proven: float
    version: str
    scale: Scale


def column_parts(outcome: BacktestOutcome, *, monitored: frozenset[str]) -> tuple[ColumnPart, ...]:
    """Return each column that some rule named, those that caused most first."""
    incidents: Counter[str] = Counter()
    led: Counter[str] = Counter()
    windows: Counter[str] = Counter()
    textbook: Counter[str] = Counter()
    tiers: dict[str, Tier] = {}
    for incident in outcome.incidents:
        named = [finding.column for step in incident.steps for finding in step.findings if finding.column]
        incidents.update(set(named))
        led.update(named[:1])
    for window in input_windows(outcome):
        for column in dict.fromkeys(each.column for each in window.findings):
            windows[column] += 1
        for finding in window.findings:
            tiers[finding.column] = max(tiers.get(finding.column, Tier.NONE), finding.tier)
        if window.textbook is not None and window.textbook.verdict in ALARMING:
            textbook.update(window.textbook.columns)
    largest = _largest_by_column(outcome, monitored)
    parts = [
        ColumnPart(
            name=name,
            incidents=incidents[name],
            led=led[name],
            windows=windows[name],
            textbook_windows=textbook[name],
            tier=tiers.get(name, Tier.NONE).name.lower(),
            psi=round(largest[name].psi, 4) if name in largest else None,
            proven_psi=round(largest[name].proven, 4) if name in largest else 0.0,
            psi_scale=str(largest[name].scale) if name in largest else None,
        )
        for name in {**incidents, **windows, **textbook}
    ]
    return tuple(sorted(parts, key=lambda each: (-each.led, -each.windows, -each.textbook_windows, each.name)))


def monitored_columns(spec: ModelSpec, profile: ReferenceProfile) -> frozenset[str]:
    """Return the columns that are judged, not only shown."""
    features = {name for name, column in spec.columns.items() if column.monitor}
    return frozenset(
        each.name
        for each in profile.layout.columns
        if (each.name in features if each.role is ColumnRole.FEATURE else each.role is not ColumnRole.LATENCY)
    )


def psi_tracks(outcome: BacktestOutcome, *, monitored: frozenset[str]) -> tuple[PsiTrack, ...]:
    """Return the tracks of the columns that moved most: those that opened drift incidents, then by what was proven."""
    largest = _largest_by_column(outcome, monitored)
    opened: dict[str, tuple[str, int]] = {}
    for incident in outcome.incidents:
        # Of a broken field PSI is not what is wrong.
        for finding in incident.steps[0].findings if incident.kind is IncidentKind.DRIFT else ():
            opened.setdefault(finding.column, (incident.version, incident.steps[0].length))
    ranked = sorted(largest, key=lambda name: (name not in opened, -largest[name].proven, -largest[name].psi, name))
    moved = sum(name in opened or largest[name].proven > 0.0 for name in ranked)
    shown = ranked[: min(max(moved, CALM_TRACKS_SHOWN), TRACKS_SHOWN)]
    return tuple(_track(outcome, name, opened.get(name), largest[name]) for name in shown)


def _track(outcome: BacktestOutcome, name: str, opened: tuple[str, int] | None, largest: _Largest) -> PsiTrack:
    tracks = outcome.tracks
    row = tracks.names.index(name)
    keys = [key for key in tracks.keys if not np.isnan(tracks.psi(*key)[row]).all()]
    chosen = next((key for key in keys if opened == (key[0], key[1].length)), None)
    if chosen is None and largest.proven > 0.0:
        chosen = (largest.version, largest.scale)
    if chosen is None:  # nothing to see: an hour smooths without hiding
        chosen = min(keys, key=lambda key: (key[0] != largest.version, abs(key[1].length - HOUR)))
    return PsiTrack(
        column=name,
        version=chosen[0],
        scale=str(chosen[1]),
        psi=_rounded(tracks.psi(*chosen)[row]),
        proven=_rounded(tracks.proven(*chosen)[row]),
    )


def _largest_by_column(outcome: BacktestOutcome, monitored: frozenset[str]) -> dict[str, _Largest]:
    """Return for each judged column where most of its PSI was proven; where nothing was, its largest PSI."""
    found: dict[str, _Largest] = {}
    for version, scale in outcome.tracks.keys:
        rows = zip(outcome.tracks.psi(version, scale), outcome.tracks.proven(version, scale), strict=True)
        for name, (psi, proven) in zip(outcome.tracks.names, rows, strict=True):
            if name not in monitored or np.isnan(psi).all():
                continue
            at = int(np.nanargmax(psi if np.isnan(proven).all() else proven))
            bound = float(np.nan_to_num(proven[at]))
            before = found.get(name)
            if before is None or (bound, float(psi[at])) > (before.proven, before.psi):
                found[name] = _Largest(psi=float(psi[at]), proven=bound, version=version, scale=scale)
    return found


def _rounded(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(each) else round(each, 4) for each in values.tolist())
