"""Looks at the models: those that were woken, its share of all at each sweep, those behind in turn, a batch each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from alerting.advance_model import AdvanceReport, ModelEvaluator, advance_model
from alerting.due_models import ModelsBehind
from alerting.model_sharing import alerter_of
from alerting.turn_notes import TurnNotes
from monitor.errors import DriftlineError, UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.configuration import (
    AppliedModel,
    Configuration,
    UnreadableModel,
    load_configuration,
    read_generation,
)
from monitor.store.model_turns import alerters_at_work, beat_alerter, end_alerter, model_turns
from monitor.store.outage import named_outage, require_writable
from monitor.types import Service

log = structlog.get_logger()

TURN_SECONDS = 30.0  # besides the pause between sweeps or deliveries
SWEEPS_MISSED = 3
LEAST_SECONDS = 30.0  # of a model without a look until health says so: short sweeps are no reason to hurry
TAKE_OVER_SWEEPS = 1.5  # without a look by its own alerter
_TURN = "turn of "
_OVERDUE = "look at "
_SWEEPS = "sweeps"


def overdue_seconds(settings: Settings) -> float:
    """Return after how long without a look a model is overdue: three sweeps."""
    return max(SWEEPS_MISSED * settings.sweep_seconds, LEAST_SECONDS)


class ModelRounds:
    """One alerter's looks at the models; used by one thread.

    Args:
        worker: This alerter's name among all of them.
        stopping: Asked between transactions.
        health: Shows which models cannot be advanced (notices), and which nobody has judged for too long (reasons).
        notices: What else the operator should know of these models, for example of the evaluator's.
    """

    def __init__(
        self,
        *,
        engine: sa.Engine,
        settings: Settings,
        evaluator: ModelEvaluator,
        worker: str,
        stopping: Callable[[], bool],
        health: Health,
        notices: Callable[[Configuration], Sequence[str]] = lambda configuration: (),
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._evaluator = evaluator
        self._worker = worker
        self._stopping = stopping
        self._health = health
        self._notices = notices
        self._configuration: Configuration | None = None
        self._behind = ModelsBehind()
        self._notes = TurnNotes(engine)
        self._share_size = 0

    @property
    def behind(self) -> bool:
        """Whether more is due of some model than its last batch."""
        return bool(self._behind)

    def advance(self, names: frozenset[str] | None = None) -> None:
        """Advance the models called *names* by one batch, None: this alerter's share of all; others are ignored.

        Models that are behind are left to `catch_up`, whatever wakes them.
        """
        with self._outages_shown():
            models = self._models()
            if names is None:
                mine = self._share(models)
            else:
                mine = [applied for applied in models if str(applied.key) in names]
            for applied in mine:
                if self._stopping():
                    return
                if applied.model_id not in self._behind:
                    self._advance_one(applied)
            if names is None:
                self._note_unreadable()
                self._show_overdue()
            self._notes.write()
        self._note_progress()

    def catch_up(self) -> None:
        """Advance the next model that is behind by one batch."""
        with self._outages_shown():
            models = {applied.model_id: applied for applied in self._models()}
            self._behind.keep(frozenset(models))
            if (model_id := self._behind.next()) is not None:
                self._advance_one(models[model_id])
                self._notes.write()
        self._note_progress()

    def end(self) -> None:
        """Leave this alerter's share to the others at once; without a database they find out by themselves."""
        if Service.POSTGRES in self._health.services_away:
            return
        try:
            with named_outage(self._engine, "leaving"), self._engine.begin() as connection:
                end_alerter(connection, self._worker)
        except DriftlineError as error:
            log.warning("alerter.left_without_word", reason=str(error))

    @contextmanager
    def _outages_shown(self) -> Iterator[None]:
        try:
            yield
        except UnavailableError as error:
            self._health.away(Service.POSTGRES, str(error), seen_by="turns")
        except DriftlineError as error:
            self._health.away(_SWEEPS, f"models are not looked at: {error}")
        else:
            self._health.back(Service.POSTGRES, seen_by="turns")
            self._health.back(_SWEEPS)

    def _models(self) -> tuple[AppliedModel, ...]:
        """Return the applied models.

        Raises:
            UnavailableError: Postgres is away, or read-only.
        """
        with named_outage(self._engine, "reading the configuration"), self._engine.connect() as connection:
            require_writable(connection)
            known = self._configuration
            if known is None or known.generation != read_generation(connection):
                known = self._configuration = load_configuration(connection)
                for unreadable in known.unreadable:
                    log.error("spec.rejected", model=str(unreadable.key), problem=unreadable.problem)
                self._forget_retired(known.models)
        self._health.note([*(unreadable.problem for unreadable in known.unreadable), *self._notices(known)])
        return known.models

    def _share(self, models: Sequence[AppliedModel]) -> list[AppliedModel]:
        """Return the models of this alerter, and those that their own one has not looked at for longer than a sweep."""
        settings = self._settings
        with named_outage(self._engine, "sharing the models"), self._engine.begin() as connection:
            beat_alerter(connection, self._worker, models_turned=self._share_size, oldest_due=self._behind.oldest)
            alerters = alerters_at_work(connection, within_seconds=overdue_seconds(settings))
            waiting = TAKE_OVER_SWEEPS * settings.sweep_seconds
            left = {turn.model_id for turn in model_turns(connection) if turn.seconds_ago > waiting}
        mine = [
            applied
            for applied in models
            if applied.model_id in left or alerter_of(applied.model_id, alerters) == self._worker
        ]
        self._share_size = len(mine)
        return mine

    def _note_unreadable(self) -> None:
        for unreadable in self._unreadable:
            self._notes.failed(unreadable.model_id, unreadable.problem)

    @property
    def _unreadable(self) -> tuple[UnreadableModel, ...]:
        return () if self._configuration is None else self._configuration.unreadable

    def _show_overdue(self) -> None:
        """Name every model that no alerter has judged for three sweeps, and no other.

        One whose spec cannot be read is a notice: its own trouble, which no restart ends.
        """
        self._notes.write(at_once=True)
        limit = overdue_seconds(self._settings)
        unreadable = {model.model_id for model in self._unreadable}
        with named_outage(self._engine, "looking for overdue models"), self._engine.connect() as connection:
            overdue = {
                f"{_OVERDUE}{turn.key}": f"model {turn.key}: no alerter has judged it for {turn.seconds_ago:.0f} s, "
                f"expected one within {limit:.0f} s" + (f": {turn.problem}" if turn.problem else "")
                for turn in model_turns(connection)
                if turn.seconds_ago > limit and turn.model_id not in unreadable
            }
        for service, reason in overdue.items():
            self._health.away(service, reason)
        for service in self._health.services_away:
            if service.startswith(_OVERDUE) and service not in overdue:
                self._health.back(service)

    def _advance_one(self, applied: AppliedModel) -> None:
        """Advance one model by a batch; what is wrong with it alone stops no other.

        Raises:
            UnavailableError: Postgres is away for all of them.
        """
        turn, name = f"{_TURN}{applied.key}", str(applied.key)
        try:
            with named_outage(self._engine, f"advancing {name}"):
                report = advance_model(
                    self._engine,
                    applied,
                    self._evaluator,
                    self._settings,
                    stopping=self._note_progress,
                    one_batch=True,
                )
        except UnavailableError as error:
            if not error.contended:
                raise
            self._failed(applied, str(error))
        except DriftlineError as error:
            self._failed(applied, f"model {name} is not advanced: {error}")
        except Exception as error:
            # One model's fault must not stop the watch over the others; its transaction was rolled back.
            if turn not in self._health.services_away:
                log.exception("model.advance_failed", model=name)
            self._failed(applied, f"model {name} is not advanced: {error!r}")
        else:
            self._succeeded(applied, report)

    def _failed(self, applied: AppliedModel, problem: str) -> None:
        """Name it at once; it is a reason of its own when nothing of the model was judged for three sweeps."""
        self._health.away(f"{_TURN}{applied.key}", problem, degrades=False)
        self._notes.failed(applied.model_id, problem)
        self._behind.remove(applied.model_id)  # the next sweep tries again

    def _succeeded(self, applied: AppliedModel, report: AdvanceReport) -> None:
        self._health.back(f"{_TURN}{applied.key}")
        if report.more:
            self._behind.add(applied.model_id, report.judged_until)
        else:
            self._behind.remove(applied.model_id)
        if not report.busy:  # of one that is, the alerter that has it takes note
            self._notes.turned(applied.model_id)
        if report.window_ends:
            log.info(
                "model.advanced",
                model=str(applied.key),
                window_ends=report.window_ends,
                evaluations=report.evaluations,
                steps=len(report.decided),
                effects=report.effects,
            )

    def _note_progress(self) -> bool:
        """Note progress, between any two transactions of a model's turn; return whether to stop."""
        self._health.progress("turn", within_seconds=self._settings.sweep_seconds + TURN_SECONDS)
        return self._stopping()

    def _forget_retired(self, models: Sequence[AppliedModel]) -> None:
        known = {f"{_TURN}{applied.key}" for applied in models}
        for service in self._health.services_away:
            if service.startswith(_TURN) and service not in known:
                self._health.back(service)
