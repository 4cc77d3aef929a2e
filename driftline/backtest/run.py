"""One spec on one history: feed an hour, join what is known, judge what is due, move incidents; then the next hour."""

from collections.abc import Callable
from datetime import timedelta

import pyarrow as pa
import sqlalchemy as sa

from alerting.advance import advance_model
from alerting.facts import worst_first
from driftline.backtest.feed import TOPIC, Feed
from driftline.backtest.history import HistoryColumns, history_of
from driftline.backtest.outcome import (
    BacktestOutcome,
    JudgedWindow,
    ProposedAction,
    RaisedIncident,
    RaisedStep,
)
from driftline.backtest.truths import TruthTable
from monitor.clock import cpu_seconds
from monitor.errors import SpecError
from monitor.evaluate import EvaluationBatch, EvaluationRules, Evaluator, StoredEvaluation
from monitor.findings import Finding
from monitor.maintain.join import join_rules, join_truths
from monitor.reference.profile import ReferenceProfile
from monitor.settings import load_settings
from monitor.spec import ModelSpec
from monitor.store.configuration import AppliedModel, Configuration, apply_spec, load_configuration
from monitor.store.engine import make_engine
from monitor.store.incident_story import IncidentStory, StoryAction, stories_of
from monitor.types import IncidentKind

ROWS_AT_ONCE = 50_000
PANE_BYTES_AT_ONCE = 64 << 20
ENDS_AT_ONCE = 50
_ANY_AGE = timedelta(days=3650)

OnProgress = Callable[[int, int], None]
"""(rows fed, event time in ms)."""


def run_backtest(
    url: str,
    *,
    spec: ModelSpec,
    profile: ReferenceProfile,
    table: pa.Table,
    columns: HistoryColumns,
    truths: TruthTable | None = None,
    source: str = "history",
    keep_results: bool = False,
    on_progress: OnProgress = lambda _rows, _at: None,
) -> BacktestOutcome:
    """Return what *spec* would have raised on *table*.

    Everything happens at the time of its events: no window is too old to be told, cooldowns run in event time.
    Nothing is sent.

    Args:
        url: An empty database with the newest schema, as from `BacktestDatabase.fresh`.
        truths: What became known, and when; their predictions need an identity column.
        source: Where the table is from, for messages.
        keep_results: Keep each window's whole result, some kilobytes.

    Raises:
        SpecError: The table does not fit the spec; every problem at once.
    """
    if truths is not None and columns.identity is None:
        raise SpecError(source, ("--id: expected the column with the prediction ids, which truths name; found none",))
    engine = make_engine(url)
    try:
        configuration = _apply(engine, spec, profile, with_truths=truths is not None)
        model = configuration.models[0]
        history = history_of(table, model, columns, source=source)
        feed = Feed(engine, model, history, truths, generation=configuration.generation)
        watched = _Watched(keep_results=keep_results)
        settings = load_settings(database_url=url)
        for chosen in history.chunks(minutes=_minutes_at_once(model), rows=ROWS_AT_ONCE):
            feed.feed(chosen)
            at = int(history.times[chosen.stop - 1])
            if truths is not None:
                _join(engine, configuration, now=at)
            advance_model(engine, model, watched, settings, event_clock=True)
            on_progress(chosen.stop, at)
        with engine.connect() as connection:
            stories = stories_of(connection, id_prefix="")
    finally:
        engine.dispose()
    return BacktestOutcome(
        events=len(history.times),
        truths=feed.truths_fed,
        first=int(history.times[0]),
        last=int(history.times[-1]),
        windows=tuple(watched.windows),
        incidents=tuple(_incident(each, watched.shown) for each in stories),
        actions=tuple(_action(each) for story in stories for each in story.actions),
        evaluate_cpu_seconds=watched.cpu_seconds,
    )


def _apply(engine: sa.Engine, spec: ModelSpec, profile: ReferenceProfile, *, with_truths: bool) -> Configuration:
    """Store the spec as it is judged by, but nobody is told, and without truths nothing waits for them."""
    changes: dict[str, object] = {"receivers": (), "freshness": _ANY_AGE}
    changed = spec.model_copy(
        update={
            "alerting": spec.alerting.model_copy(update=changes),
            "sample_rate": spec.sample_rate if with_truths else 0.0,
        }
    )
    text = changed.model_dump_json()
    with engine.begin() as connection:
        apply_spec(connection, text=text, parsed=changed, profile=profile)
    with engine.connect() as connection:
        return load_configuration(connection)


def _minutes_at_once(model: AppliedModel) -> int:
    """Return how much event time one flush may hold: an hour, less where panes are wide."""
    panes = PANE_BYTES_AT_ONCE // (4 * model.cells[-1].layout.size)
    series = 1 + sum(len(each.values) + 1 for each in model.spec.segments)
    return max(1, min(60, panes // series))


def _join(engine: sa.Engine, configuration: Configuration, *, now: int) -> None:
    rules, more = join_rules(configuration), True
    while more:
        with engine.begin() as connection:
            more = join_truths(connection, rules=rules, now=now).more


class _Watched:
    """The real evaluator; remembers what it judged."""

    def __init__(self, *, keep_results: bool) -> None:
        self._evaluator = Evaluator(EvaluationRules(prediction_topics=(TOPIC,), revision_seconds=0, revise=False))
        self._keep_results = keep_results
        self.windows: list[JudgedWindow] = []
        self.shown: dict[tuple[int, str, IncidentKind], list[Finding]] = {}
        self.cpu_seconds = 0.0

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> EvaluationBatch:
        """Judge what is due."""
        began = cpu_seconds()
        batch = self._evaluator.evaluate_model(connection, applied, now_millis=now_millis, limit_ends=ENDS_AT_ONCE)
        self.cpu_seconds += cpu_seconds() - began
        for end in batch.ends:
            for each in end.evaluations:
                judged = self._judged(each)
                self.windows.append(judged)
                for finding in judged.findings if judged.driving else ():
                    key = (judged.end, judged.series.version, finding.kind)
                    self.shown.setdefault(key, []).append(finding)
        return batch

    def _judged(self, found: StoredEvaluation) -> JudgedWindow:
        return JudgedWindow(
            series=found.series,
            scale=found.scale,
            end=found.window_end,
            kind=found.kind,
            driving=found.driving,
            verdict=found.result.verdict,
            reason=found.result.reason,
            events=found.result.events,
            findings=tuple(each for each in found.result.findings if each.endured),
            result=found.result if self._keep_results else None,
        )


def _incident(story: IncidentStory, shown: dict[tuple[int, str, IncidentKind], list[Finding]]) -> RaisedIncident:
    head = story.incident
    return RaisedIncident(
        id=head.id,
        kind=head.kind,
        version=head.version,
        worst=max(each.tier for each in story.steps),
        first_end=head.first_end,
        resolved_end=head.resolved_end,
        steps=tuple(
            RaisedStep(
                end=each.window_end,
                step=each.step,
                reason=each.reason,
                tier=each.tier,
                sentence=each.sentence,
                findings=worst_first(shown.get((each.window_end, head.version, head.kind), ())),
            )
            for each in story.steps
        ),
    )


def _action(found: StoryAction) -> ProposedAction:
    return ProposedAction(
        incident_id=found.incident_id,
        kind=found.kind,
        state=found.state,
        reason=found.reason,
        from_version=found.from_version,
        to_version=found.to_version,
        end=found.window_end,
    )
