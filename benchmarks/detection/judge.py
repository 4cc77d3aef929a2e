"""Judges a stream through the backtest's path: the counting, deciding and incident code of the running service."""

from contextlib import ExitStack
from functools import cache

from alerting.actions.guard import Refusal
from benchmarks.detection.episodes import Alarm, Episode
from benchmarks.detection.judged import Judged, Rules
from benchmarks.detection.stream import IDENTITY, LABEL, MINUTE, SCORE, TIME, TRUTH, TRUTH_TIME, ChangeKind, Stream
from driftline.backtest import (
    BacktestDatabase,
    BacktestOutcome,
    HistoryColumns,
    JudgedWindow,
    RaisedIncident,
    run_backtest,
    truths_of,
)
from monitor.clock import cpu_seconds
from monitor.evaluate import EvaluationKind
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.types import Tier, Verdict

_OPEN = ExitStack()


def close_database() -> None:
    """Stop this process's Postgres."""
    _OPEN.close()


@cache
def _database() -> BacktestDatabase:
    """One Postgres a process, each run in a database of its own."""
    return _OPEN.enter_context(BacktestDatabase())


def judge(spec: ModelSpec, profile: ReferenceProfile, stream: Stream, *, textbook: bool = False) -> Rules:
    """Return what the default rule, and with *textbook* the textbook rule beside it, say of the current part."""
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
        outcome = run_backtest(
            url,
            spec=spec,
            profile=profile,
            table=stream.current,
            columns=columns,
            truths=truths,
            source=stream.name,
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
    first = [each for each in outcome.windows if each.driving]
    conclusive = [each for each in first if each.verdict is not Verdict.INCONCLUSIVE]
    alarms: dict[int, list[Alarm]] = {each.scale.length: [] for each in first}
    for each in conclusive:
        if each.kind is EvaluationKind.INPUTS and each.end % (each.scale.length * MINUTE) == 0:
            alarms[each.scale.length].append(Alarm(end=each.end, columns=_columns(each, textbook=textbook)))
    return Judged(
        evaluations=len(conclusive),
        inconclusive=len(first) - len(conclusive),
        episodes=tuple(_episode(each, outcome) for each in incidents),
        alarms={length: tuple(found) for length, found in alarms.items()},
        cpu_seconds=cpu,
    )


def _columns(window: JudgedWindow, *, textbook: bool) -> tuple[str, ...]:
    if textbook:
        return () if window.textbook is None else window.textbook.columns
    return tuple(dict.fromkeys(each.column for each in window.findings))


def _episode(incident: RaisedIncident, outcome: BacktestOutcome) -> Episode:
    opening = incident.steps[0]
    mine = [each for each in outcome.actions if each.incident_id == incident.id]
    # A history has one version, so the guard refuses every rollback for want of an older one. It asks for that only
    # after the evidence: what got so far would have gone back where there is a version to go back to.
    wanted = {Refusal.NO_VERSION_CHANGE.value, Refusal.SUPERSEDED.value}
    return Episode(
        kind=incident.kind.value,
        opened=opening.known,
        alerted=next((each.known for each in incident.steps if each.tier >= Tier.ALERT), None),
        closed=incident.resolved_end,
        columns=tuple(dict.fromkeys(each.column for each in opening.findings)),
        rollbacks=sum(each.kind == "rollback" and (each.state != "refused" or each.reason in wanted) for each in mine),
        retrainings=sum(each.kind == "retraining" and each.state != "refused" for each in mine),
        cause=opening.sentence,
    )
