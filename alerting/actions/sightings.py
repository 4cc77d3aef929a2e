"""What stored windows show of the judged version and of those before it: the guard's evidence, gathered; pure.

Each question is put to the newest conclusive window of each scale, so that a later window that does not show
something any more removes it, whatever an incident still holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from alerting.actions.comparisons import DecisionCounts, compared_decisions
from alerting.actions.evidence import (
    PREDICTION_ROLES,
    Decisions,
    RollbackEvidence,
    Sighting,
    TargetEvidence,
)
from alerting.actions.label_evidence import LAST_WINDOWS_MILLIS, LabelEvidence, MovementSource, no_movement
from alerting.actions.windows import ConclusiveWindow, WindowArchive
from alerting.incidents.transition import IncidentRules
from monitor.deployments import Period
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.layout import ColumnRole
from monitor.results import Finding
from monitor.spec.model import ModelSpec
from monitor.types import EvaluationKind, IncidentKind, Tier
from monitor.units import DAY_MINUTES, MINUTE_MILLIS

LABEL_COLUMN = f"{PREDICTION_PREFIX}{ColumnRole.LABEL}"
IMPORTANT_INPUTS = 2
IMPORTANT_SHARE = 0.3

DecisionSource = Callable[[str, int, int], DecisionCounts | None]
"""(version, start, stop) in ms -> the decisions that it made in that time, None where they are not counted."""


def no_decisions(version: str, start: int, stop: int) -> DecisionCounts | None:
    """Return that nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastService:
    """What is known of a version besides its windows: see `TargetEvidence`."""

    serves: bool
    served_until: int
    bad: bool
    blocked: bool
    same_schema: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Where the guard's evidence comes from: a model's rules, its windows, and the moment of asking (ms)."""

    spec: ModelSpec
    rules: IncidentRules
    archive: WindowArchive
    now_millis: int
    decisions: DecisionSource = no_decisions
    error_movement: MovementSource = no_movement

    def rollback_evidence(
        self,
        judged: Period,
        *,
        drift_since: int | None,
        quality_open: bool,
        targets: Mapping[str, PastService],
    ) -> RollbackEvidence:
        """Return what the windows show of *judged* and of *targets*, which are in order of preference.

        Args:
            drift_since: When (ms) the version's critical drift incident began; None: none is open.
            quality_open: The version's performance incident is open and critical.
        """
        inputs = self._windows(judged.version, EvaluationKind.INPUTS, first_end=judged.start)
        quality = self._windows(judged.version, EvaluationKind.PERFORMANCE, first_end=judged.start)
        labels = self._labels(judged)
        drifting = [] if drift_since is None else _unrefuted(inputs, IncidentKind.DRIFT)
        shifts = [window for window in drifting if _prediction_shift(window)]
        of_inputs = [window for window in drifting if _important_inputs(window)]
        shown = shifts or of_inputs
        worse = _unrefuted(quality, IncidentKind.PERFORMANCE) if quality_open else []
        serving = [version for version, service in targets.items() if service.serves]
        side_by_side = {version: labels.worse_than(version, quality) for version in serving if shown or worse}
        if shown and not worse and serving:
            worse = side_by_side[serving[0]]
        return RollbackEvidence(
            seen=self._newest(inputs),
            shift=self._newest(shifts),
            inputs=self._newest(of_inputs),
            inputs_critical=any(_input_findings(window, from_tier=Tier.CRITICAL) for window in drifting),
            worse=self._newest(worse),
            fine=self._newest(() if worse else _fine(quality, since=drift_since)),
            decisions=Decisions.UNKNOWN if worse else self._decisions(judged.version, shifts, serving),
            inputs_moved=any(_input_findings(window, from_tier=Tier.ALERT) for window in inputs),
            world_may_have_changed=bool(worse)
            and not serving
            and (any(_input_findings(window, from_tier=Tier.WARNING) for window in inputs) or labels.fell_later(worse)),
            targets=tuple(
                self._target(
                    version, service, judged, shown=shown, worse=worse, side_by_side=side_by_side.get(version, ())
                )
                for version, service in targets.items()
            ),
        )

    def allowed_age(self, window: ConclusiveWindow) -> int:
        """Return how old (ms) *window* may be to be acted on: its step's freshness, and what its truths needed."""
        step = next((scale.step for scale in self.spec.scales if scale.length == window.length), 0)
        return self.rules.freshness_of(step) + window.truths_after

    def _target(
        self,
        version: str,
        service: PastService,
        judged: Period,
        *,
        shown: Sequence[ConclusiveWindow],
        worse: Sequence[ConclusiveWindow],
        side_by_side: Sequence[ConclusiveWindow],
    ) -> TargetEvidence:
        first_end = judged.start if service.serves else service.served_until - LAST_WINDOWS_MILLIS
        windows = self._windows(version, EvaluationKind.INPUTS, first_end=first_end, last_end=service.served_until)
        columns = {
            finding.column
            for window in shown
            for finding in window.findings(IncidentKind.DRIFT, from_tier=Tier.CRITICAL)
        }
        shows = any(
            finding.column in columns for window in windows for finding in window.result.of_kind(IncidentKind.DRIFT)
        )
        labels = self._labels(judged)
        return TargetEvidence(
            version=version,
            serves=service.serves,
            served_until=service.served_until,
            seen=self._newest(windows),
            shows_it=shows,
            flagged=service.bad,
            blocked=service.blocked,
            same_schema=service.same_schema,
            quality=labels.comparison(version, worse, serves=service.serves, served_until=service.served_until),
            side_by_side=self._newest(
                window
                for window in side_by_side
                if self._inputs_stable(judged.version, window) and self._inputs_stable(version, window)
            ),
            was_falling=bool(worse)
            and not service.serves
            and labels.was_falling(version, served_until=service.served_until),
        )

    def _inputs_stable(self, version: str, window: ConclusiveWindow) -> bool:
        """Return whether the inputs of *version* are known for the time of *window*, and nothing is found in them."""
        of_time = self.archive.newest(
            version, EvaluationKind.INPUTS, length=window.length, first_end=window.end, last_end=window.end
        )
        return of_time is not None and all(finding.role in PREDICTION_ROLES for finding in of_time.result.findings)

    def _labels(self, judged: Period) -> LabelEvidence:
        return LabelEvidence(
            spec=self.spec,
            archive=self.archive,
            judged=judged,
            now_millis=self.now_millis,
            error_movement=self.error_movement,
        )

    def _decisions(self, version: str, shifts: Sequence[ConclusiveWindow], serving: Sequence[str]) -> Decisions:
        """Return whether *version* decides as before: as the version that serves at the same time, if one does."""
        windows = [window for window in shifts if window.length <= DAY_MINUTES]
        if serving and windows:
            longest = max(windows, key=lambda window: window.length)
            start = longest.end - longest.length * MINUTE_MILLIS
            counts = [self.decisions(name, start, longest.end) for name in (version, serving[0])]
            judged, stable = counts
            if judged is not None and stable is not None:
                return compared_decisions(judged, stable)
        drift = self.spec.drift
        return _decisions(shifts, calm_psi=drift.close_ratio * drift.tiers.warning)

    def _windows(
        self, version: str, kind: EvaluationKind, *, first_end: int, last_end: int | None = None
    ) -> list[ConclusiveWindow]:
        last = self.now_millis if last_end is None else last_end
        windows = (
            self.archive.newest(version, kind, length=scale.length, first_end=first_end, last_end=last)
            for scale in self.spec.scales
        )
        return [window for window in windows if window is not None]

    def _newest(self, windows: Iterable[ConclusiveWindow]) -> Sighting | None:
        """Return the sighting of the windows that stays fresh the longest."""
        sightings = [Sighting(end=window.end, allowed_age=self.allowed_age(window)) for window in windows]
        return max(sightings, key=lambda sighting: sighting.end + sighting.allowed_age, default=None)


def _unrefuted(windows: Sequence[ConclusiveWindow], kind: IncidentKind) -> list[ConclusiveWindow]:
    """Return the windows with a critical finding of *kind* that no later window of a shorter scale refutes.

    A long window shows what is over for as long as it is in it.
    """
    return [
        window
        for window in windows
        if window.findings(kind, from_tier=Tier.CRITICAL)
        and not any(other.calm and other.length < window.length and other.end >= window.end for other in windows)
    ]


def _prediction_shift(window: ConclusiveWindow) -> bool:
    return any(
        finding.role in PREDICTION_ROLES for finding in window.findings(IncidentKind.DRIFT, from_tier=Tier.CRITICAL)
    )


def _input_findings(window: ConclusiveWindow, *, from_tier: Tier) -> list[Finding]:
    findings = window.findings(IncidentKind.DRIFT, from_tier=from_tier)
    return [finding for finding in findings if finding.role not in PREDICTION_ROLES]


def _important_inputs(window: ConclusiveWindow) -> bool:
    shifted = {
        finding.column: finding.importance or 0.0 for finding in _input_findings(window, from_tier=Tier.CRITICAL)
    }
    return len(shifted) >= IMPORTANT_INPUTS and sum(shifted.values()) >= IMPORTANT_SHARE


def _fine(quality: Sequence[ConclusiveWindow], *, since: int | None) -> list[ConclusiveWindow]:
    """Return the newest mature window, if it is calm and at least half of it lies in the time of the shift."""
    if since is None or not quality:
        return []
    newest = max(quality, key=lambda window: (window.end, window.length))
    covers = newest.end - newest.length * MINUTE_MILLIS // 2 >= since
    return [newest] if newest.calm and covers else []


def _decisions(shifts: Sequence[ConclusiveWindow], *, calm_psi: float) -> Decisions:
    """Return whether the predicted labels differ from the reference's in the windows in which the prediction does."""
    answers = {_decisions_of(window, calm_psi=calm_psi) for window in shifts}
    return next((answer for answer in (Decisions.CHANGED, Decisions.SAME) if answer in answers), Decisions.UNKNOWN)


def _decisions_of(window: ConclusiveWindow, *, calm_psi: float) -> Decisions:
    if any(finding.role == ColumnRole.LABEL for finding in window.result.of_kind(IncidentKind.DRIFT)):
        return Decisions.CHANGED
    label = next((column for column in window.result.columns if column.name == LABEL_COLUMN), None)
    if label is None or label.inconclusive or label.psi is None:
        return Decisions.UNKNOWN
    return Decisions.SAME if label.psi < calm_psi else Decisions.CHANGED
