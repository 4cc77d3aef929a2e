"""What each scale and each segment said, counted over the judged windows; pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median_low

from driftline.backtest.buckets import TimeBuckets
from driftline.backtest.outcome import BacktestOutcome, JudgedWindow
from driftline.backtest.report import ScalePart, SegmentPart
from monitor.clock import iso_utc
from monitor.evaluate.results import EvaluationKind
from monitor.spec.model import ModelSpec
from monitor.types import ALL_SEGMENT, Scale, Verdict, span_text
from monitor.windows.sliding import step_millis

ALARMING = frozenset({Verdict.WARNING, Verdict.ALERT, Verdict.CRITICAL})
_LETTERS = {
    Verdict.INCONCLUSIVE: "?",
    Verdict.OK: "o",
    Verdict.WARNING: "w",
    Verdict.ALERT: "a",
    Verdict.CRITICAL: "c",
}
_ORDER = ".?owac"


def input_windows(outcome: BacktestOutcome) -> tuple[JudgedWindow, ...]:
    """Return the windows of inputs of whole versions: those that move incidents."""
    return tuple(
        each
        for each in outcome.windows
        if each.kind is EvaluationKind.INPUTS and each.series.segment_tag == ALL_SEGMENT
    )


def scale_parts(outcome: BacktestOutcome, spec: ModelSpec) -> tuple[ScalePart, ...]:
    """Return every scale of the spec, also those of which no window ended."""
    by_scale: dict[Scale, list[JudgedWindow]] = {each: [] for each in spec.scales}
    for window in input_windows(outcome):
        by_scale[window.scale].append(window)
    opened = Counter(each.steps[0].length for each in outcome.incidents)
    return tuple(
        _scale_part(scale, windows, outcome.tracks.buckets, incidents=opened[scale.length])
        for scale, windows in by_scale.items()
    )


def _scale_part(scale: Scale, windows: list[JudgedWindow], buckets: TimeBuckets, *, incidents: int) -> ScalePart:
    verdicts = Counter(each.verdict for each in windows)
    judged = [each.end for each in windows if each.verdict is not Verdict.INCONCLUSIVE]
    reasons = Counter(each.reason for each in windows if each.verdict is Verdict.INCONCLUSIVE)
    textbook = [(each.end, each.textbook.verdict) for each in windows if each.textbook is not None]
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
        typical_events=median_low([each.events for each in windows]) if windows else 0,
        incidents=incidents,
        textbook_alarming=sum(verdict in ALARMING for _, verdict in textbook),
        strip=_strip(((each.end, each.verdict) for each in windows), scale, buckets),
        textbook_strip=_strip(textbook, scale, buckets),
    )


def _strip(verdicts: Iterable[tuple[int, Verdict]], scale: Scale, buckets: TimeBuckets) -> str:
    """Return the worst verdict of each bucket; a window speaks for the step that ended with it."""
    worst = ["."] * buckets.count
    for end, verdict in verdicts:
        letter = _LETTERS[verdict]
        for at in range(buckets.of_end(end - step_millis(scale) + 1), buckets.of_end(end) + 1):
            worst[at] = max(worst[at], letter, key=_ORDER.index)
    return "".join(worst)


def alarming_runs(verdicts: Sequence[tuple[JudgedWindow, Verdict]]) -> int:
    """Return the stretches of alarming windows, each scale and version by itself; inconclusive ones end none."""
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
    found: dict[tuple[str, str], list[Verdict]] = {}
    for each in outcome.windows:
        if each.kind is EvaluationKind.INPUTS and each.series.segment_tag != ALL_SEGMENT:
            found.setdefault((each.series.segment_tag, each.series.segment_value), []).append(each.verdict)
    return tuple(
        SegmentPart(
            tag=tag,
            value=value,
            windows=len(verdicts),
            judged=sum(each is not Verdict.INCONCLUSIVE for each in verdicts),
            alarming=sum(each in ALARMING for each in verdicts),
        )
        for (tag, value), verdicts in sorted(found.items())
    )
