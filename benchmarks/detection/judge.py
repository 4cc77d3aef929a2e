"""Judges a stream through the backtest's path: the counting, deciding and incident code of the running service."""

from contextlib import ExitStack
from functools import cache

from alerting.actions.reasons import Refusal
from alerting.incidents.state import Step
from benchmarks.detection.episodes import Alarm, Episode, Message
from benchmarks.detection.judged import Judged, Rules
from benchmarks.detection.stream import IDENTITY, LABEL, MINUTE, SCORE, TIME, TRUTH, TRUTH_TIME, ChangeKind, Stream
from driftline.backtest import (
    BacktestDatabase,
    BacktestOutcome,
    HistoryColumns,
    JudgedWindow,
    RaisedIncident,
    backtest_history,
    history_of,
    truths_of,
)
from monitor.clock import cpu_seconds
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.types import ActionKind, ActionState, EvaluationKind, Tier, Verdict

_OPEN = ExitStack()


def close_database() -> None:
    """Stop this process's Postgres."""
    _OPEN.close()


@cache
def _database() -> BacktestDatabase:
    """One Postgres a process, each run in a database of its own."""
    return _OPEN.enter_context(BacktestDatabase())


def judge(spec: ModelSpec, profile: ReferenceProfile, stream: Stream, *, textbook: bool = False) -> Rules:
    """Return how the default rule, and with *textbook* also the textbook rule, judges the current part."""
    names = stream.current.column_names
    columns = HistoryColumns(
        timestamp=TIME,
        identity=IDENTITY if stream.has_truths else None,
        score=SCORE if SCORE in names else None,
        label=LABEL if LABEL in names else None,
    )
    truths = None
    if stream.has_truths:
        truths = truths_of(stream.current, identity=IDENTITY, truth=TRUTH, known=TRUTH_TIME, source=stream.name)
    begun = cpu_seconds()
    with _database().fresh() as url:
        outcome = backtest_history(
            url,
            spec=spec,
            profile=profile,
            history=history_of(stream.current, spec=spec, layout=profile.layout, columns=columns, source=stream.name),
            truths=truths,
            textbook=textbook,
            # Where delays are counted in truths, these are judged in the minute in which they are known.
            minutes_at_once=1 if stream.change is not None and stream.change.kind is ChangeKind.ERRORS else 60,
        )
    spent = cpu_seconds() - begun
    return Rules(
        default=_judged(outcome, outcome.incidents, cpu=spent),
        textbook=None if outcome.textbook is None else _judged(outcome, outcome.textbook, cpu=spent, textbook=True),
    )


def _judged(
    outcome: BacktestOutcome, incidents: tuple[RaisedIncident, ...], *, cpu: float, textbook: bool = False
) -> Judged:
    first = [window for window in outcome.windows if window.driving]
    conclusive = [window for window in first if window.verdict is not Verdict.INCONCLUSIVE]
    alarms: dict[int, list[Alarm]] = {window.scale.length: [] for window in first}
    for window in conclusive:
        if window.kind is EvaluationKind.INPUTS and window.end % (window.scale.length * MINUTE) == 0:
            alarms[window.scale.length].append(Alarm(end=window.end, columns=_columns(window, textbook=textbook)))
    return Judged(
        evaluations=len(conclusive),
        inconclusive=len(first) - len(conclusive),
        episodes=tuple(_episode(incident, outcome) for incident in incidents),
        alarms={length: tuple(of_length) for length, of_length in alarms.items()},
        cpu_seconds=cpu,
    )


def _columns(window: JudgedWindow, *, textbook: bool) -> tuple[str, ...]:
    if textbook:
        return () if window.textbook is None else window.textbook.columns
    return tuple(dict.fromkeys(finding.column for finding in window.findings))


def _episode(incident: RaisedIncident, outcome: BacktestOutcome) -> Episode:
    opening = incident.steps[0]
    mine = [action for action in outcome.actions if action.incident_id == incident.id]
    # A history has one version, so the guard refuses every rollback for want of an older one. It asks for that only
    # after the evidence: what got so far would have been rolled back where there is a version to roll back to.
    wanted = {Refusal.NO_VERSION_CHANGE.value, Refusal.SUPERSEDED.value}
    return Episode(
        kind=incident.kind.value,
        opened=opening.known,
        alerted=next((step.known for step in incident.steps if step.tier >= Tier.ALERT), None),
        closed=incident.resolved_end,
        columns=tuple(dict.fromkeys(finding.column for finding in opening.findings)),
        reopened=sum(step.step is Step.REOPENED for step in incident.steps),
        messages=tuple(
            Message(
                at=step.known,
                tier=int(step.tier),
                columns=tuple(dict.fromkeys(finding.column for finding in step.findings)),
                resolved=step.step is Step.RESOLVED,
            )
            for step in incident.steps
            if step.notified
        ),
        rollbacks=sum(
            action.kind is ActionKind.ROLLBACK and (action.state is not ActionState.REFUSED or action.reason in wanted)
            for action in mine
        ),
        retrainings=sum(
            action.kind is ActionKind.RETRAINING and action.state is not ActionState.REFUSED for action in mine
        ),
        cause=opening.sentence,
    )
