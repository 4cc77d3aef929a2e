"""Plays a history through one database, hour by hour: feed, join truths, judge windows, move incidents."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from alerting.advance_model import advance_model
from alerting.incidents.state import IncidentDecision, IncidentState
from driftline.backtest.feed import TOPIC, HistoryFeed
from driftline.backtest.history import History
from driftline.backtest.observer import ObservedEvaluator, TextbookIncidents
from driftline.backtest.outcome import BacktestOutcome, RaisedStep, raised_incidents, raised_step
from driftline.backtest.psi_history import PsiTracks, TimeBuckets, time_buckets
from driftline.backtest.truths import TruthTable
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.maintain.label_join import join_batches, join_rules
from monitor.settings import Settings
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.accuracy_evaluations import final_performances
from monitor.store.configuration import AppliedModel, Configuration
from monitor.store.unseen_values import unseen_values
from monitor.store.views.incidents import stories_of
from monitor.store.views.progress import read_system_progress
from monitor.types import IncidentKind, Statistic
from monitor.units import MINUTE_MILLIS

ROWS_AT_ONCE = 50_000
PANE_BYTES_AT_ONCE = 64 << 20

OnProgress = Callable[[int, int], None]
"""(rows fed, event time in ms)."""


class Playback:
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
        self._feed = HistoryFeed(
            engine, self._model, history, truths, generation=configuration.generation, settings=self._settings
        )
        self._buckets = time_buckets(int(history.times[0]), int(history.times[-1]))
        self._tracks = PsiTracks(self._buckets)
        self._textbook = TextbookIncidents(self._model.spec) if textbook else None
        rules = EvaluationRules(prediction_topics=(TOPIC,), revision_seconds=0, revise=False, with_textbook=textbook)
        self._watched = ObservedEvaluator(
            Evaluator(rules), tracks=self._tracks, textbook=self._textbook, keep_results=keep_results
        )
        self._steps: list[tuple[IncidentState, RaisedStep]] = []
        one_version = len(history.versions) == 1
        self._join_rules = {
            model: replace(rules, until_matched=one_version) for model, rules in join_rules(configuration).items()
        }

    def play(self, on_progress: OnProgress, *, minutes_at_once: int) -> None:
        """Feed everything, chunk by chunk of event time; truths that came after the last prediction at the end."""
        times = self._history.times
        minutes = min(minutes_at_once, _minutes_at_once(self._model))
        for chosen in self._history.chunks(minutes=minutes, rows=ROWS_AT_ONCE):
            self._feed.feed(chosen)
            at = int(times[chosen.stop - 1])
            self._advance(at)
            on_progress(chosen.stop, at)
        if self._truths is not None:
            at = int(times[-1])
            for at in self._truths.moments(after=int(times[-1]), every=minutes * MINUTE_MILLIS):
                self._feed.feed_truths(until=at)
                self._advance(at)
                on_progress(len(times), at)
            # A truth that looks once an hour would find the prediction of another version only after the history's end.
            self._join(at + max(rules.horizon_millis for rules in self._join_rules.values()))
            self._advance(at)

    def _join(self, now: int) -> None:
        for _ in join_batches(self._engine, rules=self._join_rules, now=lambda _: now):
            pass

    def _advance(self, at: int) -> None:
        """Join what is known, judge what is due and move incidents, at event time *at* (ms)."""
        if self._truths is not None:
            self._join(at)
        report = advance_model(self._engine, self._model, self._watched, self._settings, event_clock=True)
        for decision, state in report.decided:
            known = at if decision.kind is IncidentKind.PERFORMANCE else decision.window_end
            step = raised_step(self._model.key, decision, state, known=known, unseen=self._unseen(decision, state))
            self._steps.append((state, step))

    def _unseen(self, decision: IncidentDecision, state: IncidentState) -> dict[str, FrequentValues]:
        columns = {finding.column for finding in state.findings if finding.statistic is Statistic.UNSEEN}
        if not columns:
            return {}
        with self._engine.connect() as connection:
            return unseen_values(
                connection,
                model_id=self._model.model_id,
                version=decision.version,
                since=decision.window_end - decision.length * MINUTE_MILLIS,
                until=decision.window_end,
                columns=columns,
            )

    def outcome(self) -> BacktestOutcome:
        """Return what came of it."""
        with self._engine.connect() as connection:
            stories = stories_of(connection, id_prefix="")
            accuracies = final_performances(connection, self._model.model_id) if self._truths is not None else ()
            progress = read_system_progress(connection)
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
            incidents=raised_incidents(self._steps),
            textbook=None if self._textbook is None else raised_incidents(self._textbook.steps),
            actions=tuple(action for story in stories for action in story.actions),
            accuracies=accuracies,
            traffic=_traffic(self._history, self._buckets),
            tracks=self._tracks,
        )


def _minutes_at_once(model: AppliedModel) -> int:
    """Return how much event time one flush may hold: an hour, less where panes are wide."""
    panes = PANE_BYTES_AT_ONCE // (4 * model.cells[-1].layout.size)
    series = 1 + sum(len(segment.values) + 1 for segment in model.spec.segments)
    return max(1, min(60, panes // series))


def _traffic(history: History, buckets: TimeBuckets) -> tuple[int, ...]:
    counts = np.bincount((history.times - buckets.start) // buckets.millis, minlength=buckets.count)
    return tuple(counts.tolist())
