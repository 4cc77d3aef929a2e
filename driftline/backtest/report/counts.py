"""What a backtest counts per column, scale and segment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np

from driftline.backtest.outcome import BacktestOutcome, JudgedWindow
from driftline.backtest.psi_history import TimeBuckets
from driftline.backtest.report.schema import ColumnPart, PsiTrack, ScalePart, SegmentPart
from monitor.arrays import Float32s
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.reference.layout import ColumnRole
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.types import ALL_SEGMENT, EvaluationKind, IncidentKind, Scale, Tier, Verdict
from monitor.units import HOUR_MINUTES
from monitor.windows.sliding import step_millis

TRACKS_SHOWN = 6
CALM_TRACKS_SHOWN = 3  # to see that nothing happened

ALARMING = frozenset({Verdict.WARNING, Verdict.ALERT, Verdict.CRITICAL})
LETTERS = {
    Verdict.INCONCLUSIVE: "?",
    Verdict.OK: "o",
    Verdict.WARNING: "w",
    Verdict.ALERT: "a",
    Verdict.CRITICAL: "c",
}
_ORDER = ".?owac"


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
        for column in dict.fromkeys(finding.column for finding in window.findings):
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
            tier=tiers.get(name, Tier.NONE).word,
            psi=round(largest[name].psi, 4) if name in largest else None,
            proven_psi=round(largest[name].proven, 4) if name in largest else 0.0,
            psi_scale=str(largest[name].scale) if name in largest else None,
        )
        for name in {**incidents, **windows, **textbook}
    ]
    return tuple(sorted(parts, key=lambda part: (-part.led, -part.windows, -part.textbook_windows, part.name)))


def monitored_columns(spec: ModelSpec, profile: ReferenceProfile) -> frozenset[str]:
    """Return the columns that are judged, not only shown."""
    features = {name for name, column in spec.columns.items() if column.monitor}
    return frozenset(
        column.name
        for column in profile.layout.columns
        if (column.name in features if column.role is ColumnRole.FEATURE else column.role is not ColumnRole.LATENCY)
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
        chosen = min(keys, key=lambda key: (key[0] != largest.version, abs(key[1].length - HOUR_MINUTES)))
    return PsiTrack(
        column=name,
        version=chosen[0],
        scale=str(chosen[1]),
        psi=_rounded(tracks.psi(*chosen)[row]),
        proven=_rounded(tracks.proven(*chosen)[row]),
    )


def _largest_by_column(outcome: BacktestOutcome, monitored: frozenset[str]) -> dict[str, _Largest]:
    """Return for each judged column where most of its PSI was proven; where nothing was, its largest PSI."""
    largest: dict[str, _Largest] = {}
    for version, scale in outcome.tracks.keys:
        rows = zip(outcome.tracks.psi(version, scale), outcome.tracks.proven(version, scale), strict=True)
        for name, (psi, proven) in zip(outcome.tracks.names, rows, strict=True):
            if name not in monitored or np.isnan(psi).all():
                continue
            at = int(np.nanargmax(psi if np.isnan(proven).all() else proven))
            bound = float(np.nan_to_num(proven[at]))
            before = largest.get(name)
            if before is None or (bound, float(psi[at])) > (before.proven, before.psi):
                largest[name] = _Largest(psi=float(psi[at]), proven=bound, version=version, scale=scale)
    return largest


def _rounded(values: Float32s) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else round(value, 4) for value in values.tolist())


def input_windows(outcome: BacktestOutcome) -> tuple[JudgedWindow, ...]:
    """Return the windows of inputs of whole versions: those that move incidents."""
    return tuple(
        window
        for window in outcome.windows
        if window.kind is EvaluationKind.INPUTS and window.series.segment_tag == ALL_SEGMENT
    )


def scale_parts(outcome: BacktestOutcome, spec: ModelSpec) -> tuple[ScalePart, ...]:
    """Return every scale of the spec, also those of which no window ended."""
    by_scale: dict[Scale, list[JudgedWindow]] = {scale: [] for scale in spec.scales}
    for window in input_windows(outcome):
        by_scale[window.scale].append(window)
    opened = Counter(incident.steps[0].length for incident in outcome.incidents)
    return tuple(
        _scale_part(scale, windows, outcome.tracks.buckets, incidents=opened[scale.length])
        for scale, windows in by_scale.items()
    )


def _scale_part(scale: Scale, windows: list[JudgedWindow], buckets: TimeBuckets, *, incidents: int) -> ScalePart:
    verdicts = Counter(window.verdict for window in windows)
    judged = [window.end for window in windows if window.verdict is not Verdict.INCONCLUSIVE]
    reasons = Counter(window.reason for window in windows if window.verdict is Verdict.INCONCLUSIVE)
    textbook = [(window.end, window.textbook.verdict) for window in windows if window.textbook is not None]
    return ScalePart(
        scale=str(scale),
        step=span_text(scale.step),
        windows=len(windows),
        judged=len(judged),
        warning=verdicts[Verdict.WARNING],
        alert=verdicts[Verdict.ALERT],
        critical=verdicts[Verdict.CRITICAL],
        inconclusive=dict(reasons.most_common()),
        first_judged=iso_utc(min(judged)) if judged else None,
        typical_events=median_low([window.events for window in windows]) if windows else 0,
        incidents=incidents,
        textbook_alarming=sum(verdict in ALARMING for _, verdict in textbook),
        strip=_strip(((window.end, window.verdict) for window in windows), scale, buckets),
        textbook_strip=_strip(textbook, scale, buckets),
    )


def _strip(verdicts: Iterable[tuple[int, Verdict]], scale: Scale, buckets: TimeBuckets) -> str:
    """Return the worst verdict of each bucket; a window speaks for the step that ended with it."""
    worst = ["."] * buckets.count
    for end, verdict in verdicts:
        letter = LETTERS[verdict]
        for at in range(buckets.of_end(end - step_millis(scale) + 1), buckets.of_end(end) + 1):
            worst[at] = max(worst[at], letter, key=_ORDER.index)
    return "".join(worst)


def alarming_runs(verdicts: Sequence[tuple[JudgedWindow, Verdict]]) -> int:
    """Return the stretches of alarming windows, scale by scale and version by version; inconclusive ones end none."""
    alarming: dict[tuple[str, Scale], bool] = {}
    runs = 0
    for window, verdict in sorted(verdicts, key=lambda pair: pair[0].end):
        if verdict is Verdict.INCONCLUSIVE:
            continue
        key = (window.series.version, window.scale)
        runs += verdict in ALARMING and not alarming.get(key, False)
        alarming[key] = verdict in ALARMING
    return runs


def segment_parts(outcome: BacktestOutcome) -> tuple[SegmentPart, ...]:
    """Return each segment's windows over all scales and versions, by tag and value."""
    by_segment: dict[tuple[str, str], list[Verdict]] = {}
    for window in outcome.windows:
        if window.kind is EvaluationKind.INPUTS and window.series.segment_tag != ALL_SEGMENT:
            by_segment.setdefault((window.series.segment_tag, window.series.segment_value), []).append(window.verdict)
    return tuple(
        SegmentPart(
            tag=tag,
            value=value,
            windows=len(verdicts),
            judged=sum(verdict is not Verdict.INCONCLUSIVE for verdict in verdicts),
            alarming=sum(verdict in ALARMING for verdict in verdicts),
        )
        for (tag, value), verdicts in sorted(by_segment.items())
    )
