"""An evaluator that plays a script while it keeps the real one's books in Postgres."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from monitor.results import Finding, WindowResult
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import NewEvaluation, insert_evaluations
from monitor.store.scale_progress import Progress, read_progress, write_progress
from monitor.store.series import ensure_series
from monitor.types import EvaluationKind, IncidentKind, InconclusiveReason, Scale, SeriesKey, Statistic, Tier, Verdict
from monitor.units import MINUTE_MILLIS

SCALE = Scale(length=10, step=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One judgement of the script."""

    series: SeriesKey
    scale: Scale
    window_end: int
    kind: EvaluationKind
    revision: int
    driving: bool
    result: WindowResult


@dataclass(frozen=True, slots=True)
class PlayedEnd:
    window_end: int
    evaluations: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class PlayedBatch:
    window_ends: tuple[PlayedEnd, ...]
    more: bool


LETTERS = {"w": Tier.WARNING, "a": Tier.ALERT, "c": Tier.CRITICAL}
VERDICTS = {
    Tier.NONE: Verdict.OK,
    Tier.WARNING: Verdict.WARNING,
    Tier.ALERT: Verdict.ALERT,
    Tier.CRITICAL: Verdict.CRITICAL,
}


def result(
    letter: str,
    *,
    kind: IncidentKind = IncidentKind.DRIFT,
    column: str = "income",
    role: str = "feature",
    statistic: Statistic | None = None,
) -> WindowResult:
    """Return what a letter stands for: ``.`` calm, ``w`` ``a`` ``c`` a finding of that tier, ``?`` inconclusive."""
    if letter == "?":
        return WindowResult(verdict=Verdict.INCONCLUSIVE, events=0, reason=InconclusiveReason.NO_EVENTS)
    tier = LETTERS.get(letter, Tier.NONE)
    finding = Finding(
        kind=kind,
        column=column,
        statistic=statistic or (Statistic.PSI if kind is IncidentKind.DRIFT else Statistic.MISSING),
        tier=tier,
        endured=True,
        value=0.41,
        bound=0.35,
        threshold=0.2,
        role=role,
        importance=0.5,
        sentence=f"{column} moved: PSI 0.41, proven 0.35 against 0.2.",
    )
    performance = kind is IncidentKind.PERFORMANCE
    drifting = kind is IncidentKind.DRIFT and tier
    return WindowResult(
        verdict=VERDICTS[tier],
        events=1000,
        findings=(finding,) if tier else (),
        calm_below=(not (drifting or (performance and tier)), tier < Tier.ALERT, tier < Tier.CRITICAL),
        quality_calm=None if performance else not (kind is IncidentKind.DATA_QUALITY and tier),
    )


@dataclass
class ScriptedEvaluator:
    """Plays window ends that its books in Postgres do not have yet, at most *at_once* per turn; stores results."""

    ends: list[PlayedEnd] = field(default_factory=list)
    at_once: int = 50

    def play(
        self,
        applied: AppliedModel,
        letters: str,
        *,
        start: int,
        version: str = "1",
        kind: IncidentKind = IncidentKind.DRIFT,
        column: str = "income",
        role: str = "feature",
        statistic: Statistic | None = None,
    ) -> None:
        """Add one judgement per letter, every 5 minutes from *start* on; a space is none."""
        for index, letter in enumerate(letters):
            end = start + index * SCALE.step * MINUTE_MILLIS
            if letter != " ":
                one = Played(
                    series=SeriesKey(applied.model_id, version),
                    scale=SCALE,
                    window_end=end,
                    kind=EvaluationKind.PERFORMANCE if kind is IncidentKind.PERFORMANCE else EvaluationKind.INPUTS,
                    revision=0,
                    driving=True,
                    result=result(letter, kind=kind, column=column, role=role, statistic=statistic),
                )
                self._add(end, one)

    def _add(self, end: int, one: Played) -> None:
        for index, window in enumerate(self.ends):
            if window.window_end == end:
                self.ends[index] = PlayedEnd(end, (*window.evaluations, one))
                return
        self.ends.append(PlayedEnd(end, (one,)))
        self.ends.sort(key=lambda window: window.window_end)

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> PlayedBatch:
        """Return the next ends after the stored progress of this model and move it, in the caller's transaction."""
        keys = {
            evaluation.series
            for end in self.ends
            for evaluation in end.evaluations
            if evaluation.series.model_id == applied.model_id
        }
        ids = ensure_series(connection, keys)
        known = read_progress(connection, applied.model_id).get(SCALE.length)
        done = None if known is None else known.evaluated_until
        mine = [
            PlayedEnd(end.window_end, tuple(e for e in end.evaluations if e.series.model_id == applied.model_id))
            for end in self.ends
            if done is None or end.window_end > done
        ]
        due = [window for window in mine if window.evaluations]
        now = due[: self.at_once]
        judged = [one for end in now for one in end.evaluations if one.kind == "inputs"]
        insert_evaluations(connection, [_stored(applied, ids[conclusion.series], conclusion) for conclusion in judged])
        if now:
            moved = Progress(length=SCALE.length, evaluated_until=now[-1].window_end, final_until=-1)
            write_progress(connection, applied.model_id, [moved])
        return PlayedBatch(tuple(now), more=len(due) > len(now))


def _stored(applied: AppliedModel, series_id: int, played: Played) -> NewEvaluation:
    return NewEvaluation(
        series_id=series_id,
        length=played.scale.length,
        window_end=played.window_end,
        cells_id=applied.cells[-1].cells_id,
        spec_version=applied.spec_version,
        reference_id=applied.reference_id,
        revision=played.revision,
        previous_events=0,
        sampled=0,
        result=played.result,
    )
