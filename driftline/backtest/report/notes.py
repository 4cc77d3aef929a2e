"""Notes of a backtest's document: what one must know to read its numbers right."""

from collections.abc import Iterator

from driftline.backtest.outcome import BacktestOutcome
from driftline.backtest.report.schema import ScalePart
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.reference.checks import uncalibrated_lengths
from monitor.reference.profile import ReferenceProfile
from monitor.spec.actions import ActionMode
from monitor.spec.model import DriftRule, ModelSpec
from monitor.types import InconclusiveReason
from monitor.units import DAY_MILLIS

MOSTLY = 0.5


def notes_of(
    outcome: BacktestOutcome, *, spec: ModelSpec, profile: ReferenceProfile, scales: tuple[ScalePart, ...]
) -> tuple[str, ...]:
    """Return the notes, the most important first."""
    return (
        *_silent_scales(outcome, scales, min_events=spec.windows.min_events),
        *_overlap(outcome, profile),
        *_calibration(spec, profile),
        *_history(outcome),
        *_rules(spec),
    )


def _silent_scales(outcome: BacktestOutcome, scales: tuple[ScalePart, ...], *, min_events: int) -> Iterator[str]:
    for scale in scales:
        if scale.windows == 0:
            yield f"{scale.scale}: no window ended in the history."
            continue
        reason = max(scale.inconclusive, key=scale.inconclusive.__getitem__, default=InconclusiveReason.CONCLUSIVE)
        if scale.inconclusive.get(reason, 0) < MOSTLY * scale.windows:
            continue
        share = "no window" if scale.judged == 0 else f"only {scale.judged:,} of {scale.windows:,} windows"
        if reason is InconclusiveReason.FILLING:
            yield (
                f"{scale.scale}: {share} could be judged, for a window counts from when it is full and the history"
                f" has {outcome.days:.1f} days; what this scale would see is not shown here."
            )
        elif reason is InconclusiveReason.TOO_FEW_EVENTS:
            yield (
                f"{scale.scale}: {share} could be judged; the others have under {min_events:,} events"
                f" (typically {scale.typical_events:,}). `driftline plan` says what would."
            )


def _overlap(outcome: BacktestOutcome, profile: ReferenceProfile) -> Iterator[str]:
    if profile.start is None or profile.end is None:
        return
    start, end = max(outcome.first, profile.start), min(outcome.last, profile.end)
    if end > start:
        yield (
            f"The reference was taken from {iso_utc(profile.start)} to {iso_utc(profile.end)}, which overlaps this"
            f" history by {(end - start) / DAY_MILLIS:.1f} days: there it is compared with itself."
        )


def _calibration(spec: ModelSpec, profile: ReferenceProfile) -> Iterator[str]:
    if lengths := uncalibrated_lengths(spec, profile):
        shown = ", ".join(span_text(length) for length in lengths)
        yield (
            f"Uncalibrated at {shown}: the reference does not show the natural movement of columns there, so these"
            " scales alarm more often than they should; `driftline init --timestamp` learns it."
        )


def _history(outcome: BacktestOutcome) -> Iterator[str]:
    if outcome.days < 7:
        yield f"Rates a week are extrapolated from {outcome.days:.1f} days."
    if outcome.duplicates:
        yield f"{outcome.duplicates:,} rows repeat the id of a row shortly before and were not counted, as in ingest."


def _rules(spec: ModelSpec) -> Iterator[str]:
    if spec.drift.rule is DriftRule.TEXTBOOK:
        yield "The spec says `rule: textbook`, so there is nothing to compare it with."
    if spec.actions.rollback.mode is not ActionMode.OFF:
        yield "A table of predictions holds no deployments, so no rollback can find the change of version it needs."
