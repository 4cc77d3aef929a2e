"""The alerter's work: looks at models, expires and delivers outbox rows; survives a lost database."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from alerting.advance_model import ModelEvaluator
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, expire_overdue_effects, places_with_work
from alerting.delivery.endpoint_checks import SecretWatch
from alerting.delivery.pool import SenderPool
from alerting.delivery.retry import BREAKER_FAILURES
from alerting.model_rounds import TURN_SECONDS, ModelRounds
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.outage import named_outage
from monitor.store.outbox import DuePlace
from monitor.types import Service

log = structlog.get_logger()

MESSAGES_AT_ONCE, ACTIONS_AT_ONCE = 32, 8  # threads of their own: no page delays a rollback
AT_ONCE_TO_A_HOST = 4
_DELIVERIES = "deliveries"


class Alerter:
    """One alerter's work; `advance` and `catch_up` from one thread, `deliver` from another.

    Args:
        stopping: Asked between transactions and attempts.
        health: Shows what is away, which models are not looked at, when deliveries were looked for; as notices what
            is wrong with single models and endpoints.
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
        self._delivery = delivery
        self._stopping = stopping
        self._health = health
        self._secrets = SecretWatch(delivery.webhook.environment)
        self._notices = notices
        self._models = ModelRounds(
            engine=engine,
            settings=settings,
            evaluator=evaluator,
            worker=delivery.owner,
            stopping=stopping,
            health=health,
            notices=self._notices_on,
        )
        self._messages, self._actions = (
            SenderPool(self._serve, name=name, size=size, per_host=AT_ONCE_TO_A_HOST, trusted=BREAKER_FAILURES)
            for name, size in (("messages", MESSAGES_AT_ONCE), ("actions", ACTIONS_AT_ONCE))
        )

    @property
    def behind(self) -> bool:
        """Whether some model has more due than its last batch."""
        return self._models.behind

    def advance(self, names: frozenset[str] | None = None) -> None:
        """Advance the models called *names* by a batch, None: its share of all; unknown ones are ignored."""
        self._models.advance(names)

    def catch_up(self) -> None:
        """Advance the next of the models that are behind by a batch."""
        self._models.catch_up()

    def deliver(self) -> None:
        """Expire what is overdue and have every endpoint with work served, those of actions by threads of their own."""
        due: tuple[DuePlace, ...] = ()
        try:
            with named_outage(self._engine, "looking for deliveries"):
                expire_overdue_effects(self._delivery)
                due = places_with_work(self._delivery)
        except UnavailableError as error:
            self._health.away(Service.POSTGRES, str(error), seen_by="deliveries")
        except Exception as error:
            # What it stumbles over may be one row's: the loop goes on, and health says so until it does not any more.
            if _DELIVERIES not in self._health.services_away:
                log.exception("delivery.look_failed")
            self._health.away(_DELIVERIES, f"deliveries are not looked for: {error!r}")
        else:
            self._health.back(Service.POSTGRES, seen_by="deliveries")
            self._health.back(_DELIVERIES)
        self._health.progress("delivery", within_seconds=self._settings.delivery_seconds + TURN_SECONDS)
        self._actions.offer([place for place in due if place.acts])
        self._messages.offer([place for place in due if not place.acts])

    def close(self) -> None:
        """Wait for the attempts under way; what waits is left to the next alerter, and the models to the others."""
        self._actions.close()
        self._messages.close()
        self._models.end()

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

    def _notices_on(self, configuration: Configuration) -> tuple[str, ...]:
        """Return what is wrong with single endpoints, and what the caller says: no reason to call it unhealthy."""
        missing = self._secrets.look(configuration.models, generation=configuration.generation)
        return (*(secret.notice for secret in missing), *self._notices())
