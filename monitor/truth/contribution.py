"""What one joined prediction adds to the performance panes, and how a pane changes when that changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.truth.age_buckets import age_bucket
from monitor.truth.comparison import ComparisonRules, is_correct
from monitor.truth.fold import TruthKey
from monitor.types import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, order=True)
class JoinedKey:
    """One prediction: an id under one version and output."""

    truth: TruthKey
    version: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPrediction:
    """A sampled prediction as the ledger keeps it."""

    key: JoinedKey
    series_ids: tuple[int, ...]
    event_time: int
    score: float | None
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What a prediction adds to each of its series' panes; *counted* False (truth withdrawn): nothing."""

    key: JoinedKey
    series_ids: tuple[int, ...]
    minute: int
    age_bucket: int
    correct: bool
    counted: bool


@dataclass(frozen=True, slots=True, order=True)
class PerformancePaneKey:
    """A prediction minute (ms) of a series and output, for truths of one age."""

    series_id: int
    output: str
    minute: int
    age_bucket: int


@dataclass(frozen=True, slots=True)
class PaneChange:
    """What to add to one performance pane; negative where an old contribution is taken back."""

    key: PerformancePaneKey
    labelled: int
    correct: int


def contribution(
    prediction: LedgerPrediction, *, known_at: int, truth: str | None, rules: ComparisonRules
) -> Contribution:
    """Return what *prediction* adds under the truth in force (*truth* None: withdrawn)."""
    return Contribution(
        key=prediction.key,
        series_ids=prediction.series_ids,
        minute=prediction.event_time // MINUTE_MILLIS * MINUTE_MILLIS,
        age_bucket=int(age_bucket(event_time=prediction.event_time, known_at=known_at)),
        correct=truth is not None
        and is_correct(label=prediction.label, score=prediction.score, truth=truth, rules=rules),
        counted=truth is not None,
    )


def pane_changes(*, taken_back: Iterable[Contribution], added: Iterable[Contribution]) -> tuple[PaneChange, ...]:
    """Return the net change of each pane, in the panes' order, without those that come out even."""
    net: dict[PerformancePaneKey, tuple[int, int]] = {}
    for sign, contributions in ((-1, taken_back), (1, added)):
        for each in contributions:
            if not each.counted:
                continue
            for series_id in each.series_ids:
                key = PerformancePaneKey(series_id, each.key.output, each.minute, each.age_bucket)
                labelled, correct = net.get(key, (0, 0))
                net[key] = (labelled + sign, correct + sign * each.correct)
    return tuple(PaneChange(key, *net[key]) for key in sorted(net) if net[key] != (0, 0))
