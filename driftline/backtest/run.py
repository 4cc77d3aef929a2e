"""One spec on one history: feed an hour, join what is known, judge what is due, move incidents; then the next hour."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from alerting.advance import advance_model
from driftline.backtest.buckets import TimeBuckets, time_buckets
from driftline.backtest.feed import TOPIC, Feed
from driftline.backtest.history import History, HistoryColumns, history_of
from driftline.backtest.outcome import BacktestOutcome, ProposedAction, Taken, raised_incidents
from driftline.backtest.tracks import PsiTracks
from driftline.backtest.truths import TruthTable
from driftline.backtest.watched import TextbookIncidents, WatchedEvaluator
from monitor.errors import SpecError
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.maintain.join import join_rules, join_truths
from monitor.reference.profile import ReferenceProfile
from monitor.settings import Settings
from monitor.spec import ActionMode, ActionSpec, ModelSpec
from monitor.store.configuration import AppliedModel, Configuration, apply_spec, load_configuration
from monitor.store.engine import make_engine
from monitor.store.incident_story import StoryAction, stories_of
from monitor.store.performance import final_performances
from monitor.store.progress import read_progress
from monitor.types import MINUTE_MILLIS, IncidentKind

ROWS_AT_ONCE = 50_000
PANE_BYTES_AT_ONCE = 64 << 20
TRUTHS_MILLIS_AT_ONCE = 60 * MINUTE_MILLIS
_ANY_AGE = timedelta(days=36_500)

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
    textbook: bool = False,
    keep_results: bool = False,
    minutes_at_once: int = 60,
    on_progress: OnProgress = lambda _rows, _at: None,
) -> BacktestOutcome:
    """Return what *spec* would have raised on *table*, as of `backtest_history`.

    Raises:
        SpecError: The table does not fit the spec; every problem at once.
    """
    history = history_of(table, spec=spec, layout=profile.layout, columns=columns, source=source)
    return backtest_history(
        url,
        spec=spec,
        profile=profile,
        history=history,
        truths=truths,
        textbook=textbook,
        keep_results=keep_results,
        minutes_at_once=minutes_at_once,
        on_progress=on_progress,
    )


def backtest_history(
    url: str,
    *,
    spec: ModelSpec,
    profile: ReferenceProfile,
    history: History,
    truths: TruthTable | None = None,
    textbook: bool = False,
    keep_results: bool = False,
    minutes_at_once: int = 60,
    on_progress: OnProgress = lambda _rows, _at: None,
) -> BacktestOutcome:
    """Return what *spec* would have raised on *history*.

    Everything happens at the time of its events: no window is too old to be told, cooldowns run in event time.
    Nothing is sent; an action that would have been is a dry run. The process's settings do not matter.

    Args:
        url: An empty database with the newest schema, as from `BacktestDatabase.fresh`.
        truths: What became known, and when; the history needs its prediction ids for them.
        textbook: Judge every window by the textbook rule too.
        keep_results: Keep each window's whole result, some kilobytes.
        minutes_at_once: Event time that is fed before the next is judged, at most: accuracy is known no finer.

    Raises:
        SpecError: There are truths, but the predictions have no ids.
    """
    if truths is not None and history.ids is None:
        problem = "--id: expected the column with the prediction ids, which truths name; found none"
        raise SpecError("truths", (problem,))
    engine = make_engine(url)
    try:
        configuration = _apply(engine, spec, profile, with_truths=truths is not None)
        run = _Run(engine, configuration, history, truths, textbook=textbook, keep_results=keep_results)
        run.play(on_progress, minutes=min(minutes_at_once, _minutes_at_once(configuration.models[0])))
        return run.outcome()
    finally:
        engine.dispose()


def _apply(engine: sa.Engine, spec: ModelSpec, profile: ReferenceProfile, *, with_truths: bool) -> Configuration:
    """Store the spec as it is judged by, but nobody is told, and without truths nothing waits for them."""
    alerting = spec.alerting.model_copy(update={"receivers": (), "freshness": _ANY_AGE})
    actions = spec.actions.model_copy(
        update={"retraining": _unsent(spec.actions.retraining), "rollback": _unsent(spec.actions.rollback)}
    )
    sample_rate = spec.sample_rate if with_truths else 0.0
    changed = spec.model_copy(update={"alerting": alerting, "actions": actions, "sample_rate": sample_rate})
    with engine.begin() as connection:
        apply_spec(connection, text=changed.model_dump_json(), parsed=changed, profile=profile)
    with engine.connect() as connection:
        return load_configuration(connection)


def _unsent(action: ActionSpec) -> ActionSpec:
    # Nobody answers here: what was sent would run for ever and hold back whatever is asked for next.
    return action.model_copy(update={"mode": ActionMode.DRY_RUN}) if action.mode is ActionMode.AUTO else action


class _Run:
    """One history on its way through one database."""

    def __init__(
        self,
        engine: sa.Engine,
        configuration: Configuration,
        history: History,
        truths: TruthTable | None,
        *,
        textbook: bool,
        keep_results: bool,
    ) -> None:
        self._engine = engine
        self._configuration = configuration
        self._model = configuration.models[0]
        self._history = history
        self._truths = truths
        self._settings = Settings.model_construct(database_url="")
        self._feed = Feed(
            engine, self._model, history, truths, generation=configuration.generation, settings=self._settings
        )
        self._buckets = time_buckets(int(history.times[0]), int(history.times[-1]))
        self._tracks = PsiTracks(self._buckets)
        self._textbook = TextbookIncidents(self._model.spec) if textbook else None
        rules = EvaluationRules(prediction_topics=(TOPIC,), revision_seconds=0, revise=False, textbook_beside=textbook)
        self._watched = WatchedEvaluator(
            Evaluator(rules), tracks=self._tracks, textbook=self._textbook, keep_results=keep_results
        )
        self._taken: list[Taken] = []

    def play(self, on_progress: OnProgress, *, minutes: int) -> None:
        """Feed everything, *minutes* of event time at once; truths that came after the last prediction at the end."""
        times = self._history.times
        for chosen in self._history.chunks(minutes=minutes, rows=ROWS_AT_ONCE):
            self._feed.feed(chosen)
            at = int(times[chosen.stop - 1])
            self._advance(at)
            on_progress(chosen.stop, at)
        if self._truths is not None:
            for at in self._truths.moments(after=int(times[-1]), every=TRUTHS_MILLIS_AT_ONCE):
                self._feed.feed_truths(until=at)
                self._advance(at)
                on_progress(len(times), at)

    def _advance(self, at: int) -> None:
        """Join what is known, judge what is due and move incidents, at event time *at* (ms)."""
        if self._truths is not None:
            rules, more = join_rules(self._configuration), True
            while more:
                with self._engine.begin() as connection:
                    more = join_truths(connection, rules=rules, now=at).more
        report = advance_model(self._engine, self._model, self._watched, self._settings, event_clock=True)
        for decision, state in report.taken:
            known = at if decision.kind is IncidentKind.PERFORMANCE else decision.window_end
            self._taken.append(Taken(decision, state, known))

    def outcome(self) -> BacktestOutcome:
        """Return what came of it."""
        with self._engine.connect() as connection:
            stories = stories_of(connection, id_prefix="")
            accuracies = final_performances(connection, self._model.model_id) if self._truths is not None else ()
            progress = read_progress(connection)
        key = self._model.key
        return BacktestOutcome(
            events=self._feed.counted,
            duplicates=self._feed.duplicates,
            truths=self._feed.truths_fed,
            labelled=progress.labelled,
            correct=progress.correct,
            first=int(self._history.times[0]),
            last=int(self._history.times[-1]),
            versions=self._history.versions,
            windows=tuple(self._watched.windows),
            incidents=raised_incidents(self._taken, model=key),
            textbook=None if self._textbook is None else raised_incidents(self._textbook.taken, model=key),
            actions=tuple(_action(each) for story in stories for each in story.actions),
            accuracies=accuracies,
            traffic=_traffic(self._history, self._buckets),
            tracks=self._tracks,
            evaluate_cpu_seconds=self._watched.cpu_seconds,
        )


def _minutes_at_once(model: AppliedModel) -> int:
    """Return how much event time one flush may hold: an hour, less where panes are wide."""
    panes = PANE_BYTES_AT_ONCE // (4 * model.cells[-1].layout.size)
    series = 1 + sum(len(each.values) + 1 for each in model.spec.segments)
    return max(1, min(60, panes // series))


def _traffic(history: History, buckets: TimeBuckets) -> tuple[int, ...]:
    found = np.bincount((history.times - buckets.start) // buckets.millis, minlength=buckets.count)
    return tuple(found.tolist())


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
