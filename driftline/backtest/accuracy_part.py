"""What the truths showed, as the document tells it; pure."""

from collections import Counter

from driftline.backtest.outcome import BacktestOutcome
from driftline.backtest.report_curves import AccuracyPart, AccuracyPoint
from monitor.clock import iso_utc
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.store.accuracy_evaluations import FinalPerformance
from monitor.types import span_text

HOUR = 60


def accuracy_part(outcome: BacktestOutcome, *, spec: ModelSpec, profile: ReferenceProfile) -> AccuracyPart | None:
    """Return what is known of accuracy; None where no truths were given."""
    if outcome.truths == 0:
        return None
    windows = Counter(each.length for each in outcome.accuracies)
    version, length = _shown(outcome)
    return AccuracyPart(
        labelled=outcome.labelled,
        correct=outcome.correct,
        accuracy=outcome.correct / outcome.labelled if outcome.labelled else None,
        reference_accuracy=profile.correct / profile.labelled if profile.labelled else None,
        floor=spec.accuracy.floor,
        drop=spec.accuracy.drop,
        windows={str(each): windows[each.length] for each in spec.scales},
        version=version,
        scale=span_text(length) if length else "",
        points=_points(outcome, version=version, length=length),
    )


def _shown(outcome: BacktestOutcome) -> tuple[str, int]:
    """Return version and length of the windows that are drawn: of the last version, the length nearest to an hour."""
    measured = [each for each in outcome.accuracies if each.accuracy is not None]
    if not measured:
        return "", 0
    version = max(measured, key=lambda each: each.window_end).version
    lengths = {each.length for each in measured if each.version == version}
    return version, min(lengths, key=lambda each: abs(each - HOUR))


def _points(outcome: BacktestOutcome, *, version: str, length: int) -> tuple[AccuracyPoint, ...]:
    last: dict[int, FinalPerformance] = {}
    for each in outcome.accuracies:
        if (each.version, each.length) == (version, length) and each.accuracy is not None:
            last[outcome.tracks.buckets.of_end(each.window_end)] = each
    return tuple(
        AccuracyPoint(
            end=iso_utc(each.window_end),
            accuracy=round(each.accuracy, 5),
            low=round(each.low, 5),
            high=round(each.high, 5),
        )
        for _, each in sorted(last.items())
        if each.accuracy is not None and each.low is not None and each.high is not None
    )
