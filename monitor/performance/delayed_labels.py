"""Delayed labels: which truth is in force, what it adds to performance panes, when it is next looked up; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count

from monitor.performance.correctness import ComparisonRules, is_correct
from monitor.truth_age import age_bucket
from monitor.units import MINUTE_MILLIS

_FIRST_SECONDS = (1.0, 10.0, 60.0, 600.0, 3600.0)  # and from there twice as long each time
_MATCHED_SECONDS = (60.0, 3600.0, 86_400.0, 604_800.0)


@dataclass(frozen=True, slots=True, order=True)
class TruthKey:
    """A prediction id of a model; *prediction_hash* as UUID text."""

    model_id: int
    prediction_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthEvent:
    """One truth as it came; *value* None withdraws; times in epoch milliseconds."""

    key: TruthKey
    known_at: int
    value: str | None
    prediction_time: int | None
    topic: str
    partition: int
    offset: int
    incarnation: int = 0

    @property
    def rank(self) -> tuple[int, int, int, int, str]:
        """The highest is in force: known last, then the later offset; partition and topic only make it total.

        Offsets of a topic that was created again start again at 0, so its incarnation comes before them.
        """
        return (self.known_at, self.incarnation, self.offset, self.partition, self.topic)


def in_force(events: Iterable[TruthEvent]) -> tuple[TruthEvent, ...]:
    """Return the truth in force of each prediction id among *events*, ordered by id."""
    newest: dict[TruthKey, TruthEvent] = {}
    for event in events:
        known = newest.get(event.key)
        if known is None or event.rank > known.rank:
            newest[event.key] = event
    return tuple(newest[key] for key in sorted(newest))


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
    """What to add to one performance pane; negative where an old contribution is withdrawn."""

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


def pane_changes(*, withdrawn: Iterable[Contribution], added: Iterable[Contribution]) -> tuple[PaneChange, ...]:
    """Return the net change of each pane, in the panes' order, without those that come out even."""
    net: dict[PerformancePaneKey, tuple[int, int]] = {}
    for sign, contributions in ((-1, withdrawn), (1, added)):
        for contribution in contributions:
            if not contribution.counted:
                continue
            for series_id in contribution.series_ids:
                key = PerformancePaneKey(
                    series_id, contribution.key.output, contribution.minute, contribution.age_bucket
                )
                labelled, correct = net.get(key, (0, 0))
                net[key] = (labelled + sign, correct + sign * contribution.correct)
    return tuple(PaneChange(key, *net[key]) for key in sorted(net) if net[key] != (0, 0))


def next_look_seconds(elapsed_seconds: float, *, matched: bool, horizon_seconds: float) -> float | None:
    """Return how long after the truth was first seen its next look is due, later than *elapsed_seconds*; None: never.

    Without a prediction: 1 s, 10 s, 1 min, 10 min, 1 h, 2 h, 4 h, … A truth that found one goes on, because another
    version's prediction of the same id may come later, but looks after 1 min, 1 h, 1 d and 7 d only (ADR 2). The last
    look of either is at the horizon itself. Looks that were missed while nothing ran are made up for by one.
    """
    if elapsed_seconds >= horizon_seconds:
        return None
    doubled = (_FIRST_SECONDS[-1] * 2.0**power for power in count(1))
    schedule = _MATCHED_SECONDS if matched else chain(_FIRST_SECONDS, doubled)
    due = next((seconds for seconds in schedule if seconds > elapsed_seconds), horizon_seconds)
    return min(due, horizon_seconds)
