"""One generated release: what is really so of each version, and what its deployment events say."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from monitor.arrays import Float64s
from monitor.types import Stage
from monitor.units import MINUTE_MILLIS

STABLE, JUDGED = "1", "2"
INPUTS = ("income", "age")
BEFORE_STEPS = 24
"""Whole steps before the judged version takes traffic."""


class Kind(StrEnum):
    """What a history is about."""

    GOOD = "good"
    RECALIBRATED = "recalibrated"
    RETRAINED = "retrained"
    SLIGHTLY_BAD = "bad, slightly"
    CLEARLY_BAD = "bad, clearly"
    BAD_LATE_TRUTHS = "bad, late truths"
    BAD_LATER = "bad, some hours later"
    DRIFTING_WORLD = "drifting world"
    CONCEPT = "the same inputs mean something else"
    BOTH_BAD = "both bad"
    BLIND = "blind"
    WRONG_DEPLOYMENTS = "wrong deployments"
    SEVERAL_VERSIONS = "several in production"
    FLAPPING = "flapping"
    OLD_TARGET = "old target"
    CHANGED_SCHEMA = "changed schema"
    BROKEN_FIELD = "a field breaks"
    LOW_TRAFFIC = "canary with little traffic"
    LONG_DRIFT = "drift that stands for months"
    SEGMENT = "canary of another segment"


class Mode(StrEnum):
    """What the spec allows a rollback."""

    AUTO = "auto, two keys"
    ONE_KEY = "auto, one key"
    APPROVE = "approve"
    DRY_RUN = "dry run"

    @property
    def needs_labels(self) -> bool:
        """Whether nothing is sent without a person unless labels prove it."""
        return self is not Mode.ONE_KEY


@dataclass(frozen=True, slots=True)
class Event:
    """A deployment event, known from *reported_at* (ms) on; *assumed*: it follows from an accepted rollback."""

    version: str
    event_time: int
    stage: Stage
    traffic: float | None = None
    assumed: bool = False
    reported_at: int = 0


@dataclass(slots=True, kw_only=True)
class VersionTruth:
    """What is really so of one version, a number for each step of the history.

    Attributes:
        traffic: Its share of the model's events.
        accuracy: As it is, or would be if it served.
        score_psi, label_psi: True PSI of its predictions against its reference.
        positive: Share of its decisions that are positive.
        labelled: Share of its predictions whose truth comes.
        blind: Its windows of inputs are inconclusive, where 1.
        own_inputs_psi: How far its own inputs are off, besides those of all versions.
        harder: By how much less accurate any version is on the requests that this one gets: they are not a random part.
        truths_after: How long (ms) truths take.
    """

    traffic: Float64s
    accuracy: Float64s
    score_psi: Float64s
    label_psi: Float64s
    positive: Float64s
    labelled: Float64s
    blind: Float64s
    own_inputs_psi: Float64s
    harder: Float64s
    truths_after: int


@dataclass(slots=True, kw_only=True)
class Release:
    """One history.

    Attributes:
        start: Start of the first step (ms); *step* in minutes; *began* of the judged version's traffic (ms).
        rate: Events of the model in a step.
        correlation: Of two truths of one step.
        measured_correlation: What the reference shows of it; None: nothing.
        reference_accuracy: That accuracy is compared with.
        world_psi: True PSI of the inputs of every version.
        broken: A field is broken, where 1.
        schema_changed_at: From when on (ms) other columns are counted; None: never.
        late: How long (ms) after its end a window is worked.
        stalled: From when to when (ms) the monitor stands still.
        retrained: Versions that a retraining would yield, in order; they get no traffic before.
        random_split: The spec says that versions that serve together get requests at random.
        warm_up: How long (ms) a new version's prediction is learnt before it is judged, by its own; 0: by the model's.
        cannot_serve: Versions that would achieve nothing if they served again.
    """

    kind: Kind
    mode: Mode
    seed: int
    start: int
    step: int
    steps: int
    began: int
    rate: float
    correlation: float
    measured_correlation: float | None
    reference_accuracy: float
    world_psi: Float64s
    broken: Float64s
    versions: dict[str, VersionTruth]
    events: list[Event]
    schema_changed_at: int | None = None
    late: int = 2 * MINUTE_MILLIS
    stalled: tuple[int, int] | None = None
    retrained: list[str] = field(default_factory=list)
    random_split: bool = False
    warm_up: int = 0
    cannot_serve: frozenset[str] = frozenset()

    def step_at(self, moment: int) -> int:
        """Return the index of the step that *moment* (ms) is in."""
        return min(max((moment - self.start) // (self.step * MINUTE_MILLIS), 0), self.steps - 1)

    def accuracy_at(self, version: str, moment: int) -> float:
        """Return what *version* would achieve at *moment*; 0 where it cannot serve."""
        if version in self.cannot_serve or version not in self.versions:
            return 0.0
        return float(self.versions[version].accuracy[self.step_at(moment)])


def plain_truth(steps: int, *, accuracy: float, traffic: Float64s, truths_after: int) -> VersionTruth:
    """Return what is so of a version whose predictions are distributed as the reference's."""
    return VersionTruth(
        traffic=traffic.astype(float),
        accuracy=np.full(steps, accuracy),
        score_psi=np.full(steps, 0.002),
        label_psi=np.full(steps, 0.001),
        positive=np.full(steps, 0.3),
        labelled=np.full(steps, 1.0),
        blind=np.zeros(steps),
        own_inputs_psi=np.zeros(steps),
        harder=np.zeros(steps),
        truths_after=truths_after,
    )
