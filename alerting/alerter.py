"""The alerter's work: advances models, expires and delivers outbox rows; survives a lost database."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from alerting.advance_model import ModelEvaluator, advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, expire_overdue_effects, places_with_work
from alerting.delivery.endpoint_checks import SecretWatch
from alerting.delivery.pool import SenderPool
from alerting.delivery.retry import BREAKER_FAILURES
from monitor.errors import DriftlineError, UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel, Configuration, load_configuration, read_generation
from monitor.store.outage import named_outage, require_writable
from monitor.types import Service

log = structlog.get_logger()

MESSAGES_AT_ONCE, ACTIONS_AT_ONCE = 32, 8  # threads of their own: no page delays a rollback
AT_ONCE_TO_A_HOST = 4
TURN_SECONDS = 30.0  # besides the pause between sweeps or deliveries
_TURN = "turn of "


class Alerter:
    """One alerter's work; `advance` from one thread, `deliver` from another.

    Args:
        stopping: Asked between transactions and attempts.
        health: Shows what is away, and when models were advanced and deliveries looked for.
        notices: What else the operator should know, for example of the evaluator's.
    """

    def __init__(
        self,
        *,
        engine: sa.Engine,
        settings: Settings,
        evaluator: ModelEvaluator,
        delivery: DeliverySettings,
        stopping: Callable[[], bool],
        health: Health,
        notices: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._evaluator = evaluator
        self._delivery = delivery
        self._stopping = stopping
        self._health = health
        self._notices = notices
        self._configuration: Configuration | None = None
        self._secrets = SecretWatch(delivery.webhook.environment)
        self._messages, self._actions = (
            SenderPool(self._serve, name=name, size=size, per_host=AT_ONCE_TO_A_HOST, trusted=BREAKER_FAILURES)
            for name, size in (("messages", MESSAGES_AT_ONCE), ("actions", ACTIONS_AT_ONCE))
        )

    def advance(self, names: frozenset[str] | None = None) -> None:
        """Advance the models called *names*, all of them when None; an unknown name is ignored."""
        try:
            with named_outage(self._engine, "reading the configuration"):
                models = self._models()
            self._forget_retired(models)
            for applied in models:
                if self._stopping():
                    return
                if names is None or str(applied.key) in names:
                    self._advance_one(applied)
        except UnavailableError as error:
            self._health.away(Service.POSTGRES, str(error), seen_by="turns")
        else:
            self._health.back(Service.POSTGRES, seen_by="turns")
        self._note_progress()

    def deliver(self) -> None:
        """Expire what is overdue and have every endpoint with work served, those of actions by threads of their own."""
        try:
            with named_outage(self._engine, "looking for deliveries"):
                expire_overdue_effects(self._delivery)
                due = places_with_work(self._delivery)
        except UnavailableError as error:
            self._health.away(Service.POSTGRES, str(error), seen_by="deliveries")
            due = ()
        else:
            self._health.back(Service.POSTGRES, seen_by="deliveries")
        self._health.progress("delivery", within_seconds=self._settings.delivery_seconds + TURN_SECONDS)
        self._actions.offer([place for place in due if place.acts])
        self._messages.offer([place for place in due if not place.acts])

    def close(self) -> None:
        """Wait for the attempts under way; what waits is left to the next alerter."""
        self._actions.close()
        self._messages.close()

    def _serve(self, endpoint_id: int) -> None:
        try:
            with named_outage(self._engine, "delivering"):
                deliver_to_endpoint(self._delivery, endpoint_id, stopping=self._stopping)
        except UnavailableError as error:
            # The lease runs out and the row is sent again under the same id; the next look for deliveries sees to it.
            self._health.away(Service.POSTGRES, str(error), seen_by="deliveries")
        except Exception:
            # One endpoint's fault must not stop the others; the row's lease runs out.
            log.exception("delivery.failed", endpoint_id=endpoint_id)

    def _advance_one(self, applied: AppliedModel) -> None:
        """Advance one model; what is wrong with it alone stops no other.

        Raises:
            UnavailableError: Postgres is away for all of them.
        """
        turn, name = f"{_TURN}{applied.key}", str(applied.key)
        try:
            with named_outage(self._engine, f"advancing {name}"):
                report = advance_model(
                    self._engine, applied, self._evaluator, self._settings, stopping=self._note_progress
                )
        except UnavailableError as error:
            if not error.contended:
                raise
            self._health.away(turn, str(error))
        except DriftlineError as error:
            self._health.away(turn, f"model {name} is not advanced: {error}")
        except Exception as error:
            # One model's fault must not stop the watch over the others; its transaction was rolled back.
            if turn not in self._health.services_away:
                log.exception("model.advance_failed", model=name)
            self._health.away(turn, f"model {name} is not advanced: {error!r}")
        else:
            self._health.back(turn)
            if report.window_ends:
                log.info(
                    "model.advanced",
                    model=name,
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

    def _models(self) -> tuple[AppliedModel, ...]:
        with self._engine.connect() as connection:
            require_writable(connection)
            known = self._configuration
            if known is None or known.generation != read_generation(connection):
                known = self._configuration = load_configuration(connection)
                for unreadable in known.unreadable:
                    log.error("spec.rejected", model=str(unreadable.key), problem=unreadable.problem)
        missing = self._secrets.look(known.models, generation=known.generation)
        self._health.note(
            [
                *(unreadable.problem for unreadable in known.unreadable),
                *(secret.notice for secret in missing),
                *self._notices(),
            ]
        )
        return known.models
