"""What labels show of the judged version next to another: worse, since when, and whether the other is better; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alerting.actions.comparisons import LabelledCounts, proven_worse
from alerting.actions.evidence import Comparison
from alerting.actions.windows import ConclusiveWindow, WindowArchive
from monitor.deployments import Period
from monitor.performance.error_movement import ErrorMovement, assumed_excess, counted
from monitor.spec.model import ModelSpec
from monitor.stats.proportions import newcombe_difference
from monitor.types import EvaluationKind, IncidentKind, Tier
from monitor.units import DAY_MILLIS, MINUTE_MILLIS, millis

ASSUMED_CORRELATION = 0.02
"""Of two truths of one step where the reference does not show it: more than for a finding, which sends nothing."""
FIRST_WINDOWS_MILLIS = DAY_MILLIS
"""How soon after its deployment a version's first windows must begin to show how it began."""
BETTER_BEFORE = 0.95
"""At which confidence earlier windows of a version are better than later ones: not much is needed to ask a person."""
LAST_WINDOWS_MILLIS = 30 * DAY_MILLIS
"""How far before a version's replacement its newest windows are looked for."""

MovementSource = Callable[[], ErrorMovement | None]


def no_movement() -> ErrorMovement | None:
    """Return that the reference does not show how errors move."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Windows of both versions that end at the same time."""

    judged: ConclusiveWindow
    other: ConclusiveWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvidence:
    """The labels of the *judged* version and of others; *now_millis* is the moment of asking."""

    spec: ModelSpec
    archive: WindowArchive
    judged: Period
    now_millis: int
    error_movement: MovementSource = no_movement

    def worse_than(self, version: str, windows: Sequence[ConclusiveWindow]) -> list[ConclusiveWindow]:
        """Return of *windows* those that are proven less accurate than those of *version*, which serves too.

        The level of `accuracy.confidence` is that of all the windows in which a version may be rolled back together.
        """
        pairs = [self._at_the_same_time(version, window) for window in windows]
        return [pair.judged for pair in pairs if pair is not None and self._is_worse(pair)]

    def fell_later(self, worse: Sequence[ConclusiveWindow]) -> bool:
        """Return whether the first windows were better than the *worse* ones, or do not show that it began so.

        The shortest scale that can say it does: a longer window holds more than the beginning.
        """
        for scale in sorted(self.spec.scales, key=lambda scale: scale.length):
            whole = self.judged.start + scale.length * MINUTE_MILLIS
            first = self.archive.oldest_mature(
                self.judged.version,
                length=scale.length,
                first_end=whole,
                last_end=min(whole + FIRST_WINDOWS_MILLIS, self.now_millis),
            )
            if first is None:
                continue
            if any(self._is_better(first, window, confidence=BETTER_BEFORE) for window in worse):
                return True
            if first.findings(IncidentKind.PERFORMANCE, from_tier=Tier.WARNING):
                return False
        return True

    def was_falling(self, version: str, *, served_until: int) -> bool:
        """Return whether the last window of *version* was worse than a longer one, which holds better times too."""
        last = [
            window
            for scale in sorted(self.spec.scales, key=lambda scale: scale.length)
            if (
                window := self._newest(
                    version, scale.length, first_end=served_until - LAST_WINDOWS_MILLIS, last_end=served_until
                )
            )
        ]
        return any(self._is_better(longer, last[0], confidence=BETTER_BEFORE) for longer in last[1:])

    def comparison(
        self, version: str, worse: Sequence[ConclusiveWindow], *, serves: bool, served_until: int
    ) -> Comparison:
        """Compare *worse* with *version*: with windows of the same end where both serve, else with its last ones."""
        compared = Comparison.NO_LABELS
        for window in worse:
            pair = (
                self._at_the_same_time(version, window)
                if serves
                else self._with_last(version, window, served_until=served_until)
            )
            if pair is None:
                continue
            if pair.other.findings(IncidentKind.PERFORMANCE, from_tier=Tier.WARNING):
                return Comparison.NOT_BETTER
            if self._is_better(pair.other, pair.judged, confidence=self.spec.accuracy.confidence):
                return Comparison.BETTER
            compared = Comparison.NOT_BETTER
        return compared

    def _is_worse(self, pair: _Pair) -> bool:
        if pair.other.findings(IncidentKind.PERFORMANCE, from_tier=Tier.WARNING):
            return False
        look_back = millis(self.spec.actions.rollback.look_back)
        looks = sum(look_back // (scale.step * MINUTE_MILLIS) + 1 for scale in self.spec.scales)
        alpha = (1.0 - self.spec.accuracy.confidence) / looks
        return proven_worse(self._independent(pair.judged), self._independent(pair.other), alpha=alpha)

    def _is_better(self, window: ConclusiveWindow, other: ConclusiveWindow, *, confidence: float) -> bool:
        here, there = self._independent(window), self._independent(other)
        if not here.labelled or not there.labelled:
            return False
        difference = newcombe_difference(
            here.correct, here.labelled, there.correct, there.labelled, confidence=confidence
        )
        return difference.low > 0.0

    def _independent(self, window: ConclusiveWindow) -> LabelledCounts:
        """Return what the window's truths are worth, which depend on each other within a step."""
        counts = LabelledCounts(window.labelled, window.correct)
        movement = self.error_movement()
        if movement is not None:
            return counts.reduced(counted(movement.excess(window.labelled, length=window.length)))
        scale = next((scale for scale in self.spec.scales if scale.length == window.length), None)
        if scale is None:
            return counts
        excess = assumed_excess(window.labelled, scale=scale, correlation=ASSUMED_CORRELATION)
        return counts.reduced(counted(excess))

    def _at_the_same_time(self, version: str, window: ConclusiveWindow) -> _Pair | None:
        """Return *window*, or one that ends up to half its length before, with that of *version* of the same end.

        Truths of the one may be later than those of the other, and quality may fall for both in between. One that began
        before the judged version did holds less of the same time than the other's.
        """
        half = window.length * MINUTE_MILLIS // 2
        other = self._newest(version, window.length, first_end=window.end - half, last_end=window.end)
        if other is None or other.end - window.length * MINUTE_MILLIS < self.judged.start:
            return None
        if other.end == window.end:
            return _Pair(window, other)
        judged = self._newest(self.judged.version, window.length, first_end=other.end, last_end=other.end)
        return None if judged is None else _Pair(judged, other)

    def _with_last(self, version: str, window: ConclusiveWindow, *, served_until: int) -> _Pair | None:
        first_end = served_until - LAST_WINDOWS_MILLIS
        other = self._newest(version, window.length, first_end=first_end, last_end=served_until)
        return None if other is None else _Pair(window, other)

    def _newest(self, version: str, length: int, *, first_end: int, last_end: int) -> ConclusiveWindow | None:
        return self.archive.newest(
            version, EvaluationKind.PERFORMANCE, length=length, first_end=first_end, last_end=last_end
        )
