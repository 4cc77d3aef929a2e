"""Runs a backtest: one spec on one history."""

from datetime import timedelta

import sqlalchemy as sa
import yaml

from driftline.backtest.history import History
from driftline.backtest.outcome import BacktestOutcome
from driftline.backtest.playback import OnProgress, Playback
from driftline.backtest.truths import TruthTable
from monitor.errors import SpecError
from monitor.reference.profile import ReferenceProfile
from monitor.spec.actions import ActionMode, ActionSpec
from monitor.spec.model import ModelSpec
from monitor.store.configuration import Configuration, apply_spec, load_configuration
from monitor.store.engine import UNLIMITED, make_engine

_ANY_AGE = timedelta(days=36_500)


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

    Everything happens at the time of its events: no window is too old for a message, cooldowns run in event time.
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
    engine = make_engine(url, limits=UNLIMITED)
    try:
        configuration = _apply(engine, spec, profile, with_truths=truths is not None)
        run = Playback(engine, configuration, history, truths, textbook=textbook, keep_results=keep_results)
        run.play(on_progress, minutes_at_once=minutes_at_once)
        return run.outcome()
    finally:
        engine.dispose()


def _apply(engine: sa.Engine, spec: ModelSpec, profile: ReferenceProfile, *, with_truths: bool) -> Configuration:
    """Store the spec as it is judged by, but without receivers, and without truths nothing waits for them."""
    alerting = spec.alerting.model_copy(update={"receivers": (), "freshness": _ANY_AGE})
    actions = spec.actions.model_copy(
        update={"retraining": _unsent(spec.actions.retraining), "rollback": _unsent(spec.actions.rollback)}
    )
    sample_rate = spec.sample_rate if with_truths else 0.0
    changed = spec.model_copy(update={"alerting": alerting, "actions": actions, "sample_rate": sample_rate})
    with engine.begin() as connection:
        # not JSON, which is no YAML where a column's name has a control character
        text = yaml.safe_dump(changed.model_dump(mode="json"), sort_keys=False)
        apply_spec(connection, text=text, parsed=changed, profile=profile)
    with engine.connect() as connection:
        return load_configuration(connection)


def _unsent(action: ActionSpec) -> ActionSpec:
    # Nobody answers here: what was sent would run for ever and hold back whatever is asked for next.
    return action.model_copy(update={"mode": ActionMode.DRY_RUN}) if action.mode.sends else action
