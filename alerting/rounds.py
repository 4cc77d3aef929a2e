"""What the alerter does again and again, synchronously: advance models, expire and send; survives a lost database."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
import structlog

from alerting.advance import Evaluator, advance_model
from alerting.deliver import Delivery, deliver_to_endpoint, endpoints_with_work, expire
from monitor.errors import DriftlineError
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel, Configuration, load_configuration, read_generation

log = structlog.get_logger()

OnHealth = Callable[[str | None], None]
OnNotices = Callable[[Sequence[str]], None]
ENDPOINTS_AT_ONCE = 32


class Rounds:
    """One alerter's work; `advance` from one thread, `deliver` from another.

    Args:
        stopping: Asked between transactions and attempts.
        on_health: Told why the alerter cannot work, None when it can again.
        on_notices: Told which models it cannot watch, although it works.
    """

    def __init__(
        self,
        *,
        engine: sa.Engine,
        settings: Settings,
        evaluator: Evaluator,
        delivery: Delivery,
        stopping: Callable[[], bool],
        on_health: OnHealth,
        on_notices: OnNotices = lambda notices: None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._evaluator = evaluator
        self._delivery = delivery
        self._stopping = stopping
        self._on_health = on_health
        self._on_notices = on_notices
        self._configuration: Configuration | None = None
        self._senders = ThreadPoolExecutor(ENDPOINTS_AT_ONCE, thread_name_prefix="deliver")
        self._sending: set[int] = set()
        self._lock = threading.Lock()

    def advance(self, names: frozenset[str] | None = None) -> None:
        """Advance the models called *names*, all of them when None; an unknown name is ignored."""
        try:
            models = self._models()
        except sa.exc.OperationalError as error:
            self._database_lost(error)
            return
        self._on_health(None)
        for applied in models:
            if self._stopping():
                return
            if names is None or str(applied.key) in names:
                self._advance_one(applied)

    def deliver(self) -> None:
        """Expire what is overdue and have every endpoint with work served, each in a thread of its own."""
        try:
            expire(self._delivery)
            due = endpoints_with_work(self._delivery)
        except sa.exc.OperationalError as error:
            self._database_lost(error)
            return
        for endpoint_id in due:
            with self._lock:
                if endpoint_id in self._sending:
                    continue
                self._sending.add(endpoint_id)
            self._senders.submit(self._serve, endpoint_id)

    def close(self) -> None:
        """Wait for the attempts under way; what is queued is left to the next alerter."""
        self._senders.shutdown(wait=True, cancel_futures=True)

    def _serve(self, endpoint_id: int) -> None:
        try:
            deliver_to_endpoint(self._delivery, endpoint_id, stopping=self._stopping)
        except sa.exc.OperationalError as error:
            self._database_lost(error)  # the lease runs out and the row is sent again under the same id
        except Exception:
            # One endpoint's fault must not stop the others; the row's lease runs out.
            log.exception("delivery.failed", endpoint_id=endpoint_id)
        finally:
            with self._lock:
                self._sending.discard(endpoint_id)

    def _advance_one(self, applied: AppliedModel) -> None:
        try:
            report = advance_model(self._engine, applied, self._evaluator, self._settings, stopping=self._stopping)
        except sa.exc.OperationalError as error:
            self._database_lost(error)
        except DriftlineError as error:
            log.error("model.not_advanced", model=str(applied.key), error=str(error))
        except Exception:
            # One model's fault must not stop the watch over the others; its transaction was rolled back.
            log.exception("model.not_advanced", model=str(applied.key))
        else:
            if report.ends:
                log.info(
                    "model.advanced",
                    model=str(applied.key),
                    ends=report.ends,
                    evaluations=report.evaluations,
                    steps=report.steps,
                    effects=report.effects,
                )

    def _models(self) -> tuple[AppliedModel, ...]:
        with self._engine.connect() as connection:
            known = self._configuration
            if known is None or known.generation != read_generation(connection):
                known = self._configuration = load_configuration(connection)
                for unreadable in known.unreadable:
                    log.error("spec.unreadable", model=str(unreadable.key), problem=unreadable.problem)
        self._on_notices([unreadable.problem for unreadable in known.unreadable])
        return known.models

    def _database_lost(self, error: sa.exc.OperationalError) -> None:
        reason = " ".join(str(error.orig).split())
        log.warning("database.lost", error=reason)
        self._on_health(f"Postgres: {reason}")
