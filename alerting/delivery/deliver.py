"""Delivers outbox rows: take a lease on a row, commit, send, close with the lease's epoch."""

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from alerting.actions.assumed_deployments import assume_rollback
from alerting.delivery.failure_words import expiry_words, failure_words, unanswered_words
from alerting.delivery.retry import BREAKER_FAILURES, BREAKER_SECONDS, Attempt, AttemptOutcome, retry_delay_seconds
from alerting.notifications.message import EXPIRED, FAILED, UNANSWERED
from alerting.notifications.outbox_rows import notify_of_failed_action
from alerting.receivers.log import write_log_line
from alerting.receivers.webhook import WebhookSettings, post_webhook
from monitor.clock import monotonic_seconds
from monitor.failpoint import reach
from monitor.metrics import DELIVERIES, DELIVERY_SECONDS
from monitor.spec.actions import ReceiverType
from monitor.store.actions import action_by_id, expired_approvals, set_action_state
from monitor.store.database_clock import database_now_millis
from monitor.store.endpoints import note_failure, note_success
from monitor.store.outbox import Lease, close_lease, due_endpoints, expire_overdue, take_lease
from monitor.types import ActionState, DeliveryState, EffectKind

log = structlog.get_logger()

NowMillis = Callable[[sa.Connection], int]

_ACTION_STATES = {
    AttemptOutcome.DONE: ActionState.ACCEPTED,
    AttemptOutcome.DEAD: ActionState.FAILED,
    AttemptOutcome.UNKNOWN: ActionState.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How one process delivers: time limits, secrets, attempts.

    Attributes:
        owner: Name of this process in leases.
        jitter: Uniform random share in ``[0, 1)``.
        actions_enabled: The global kill switch; a model's own is read with each lease.
        now: The clock; the database's, unless a test brings its own.
    """

    engine: sa.Engine
    owner: str
    webhook: WebhookSettings
    jitter: Callable[[], float]
    actions_enabled: bool = True
    now: NowMillis = field(default=database_now_millis)

    @property
    def lease_millis(self) -> int:
        """Longer than an attempt can take: connect, write, read, and the answer's rest."""
        return int(4 * self.webhook.timeout_seconds * 1000) + 1000


def expire_overdue_effects(delivery: DeliverySettings) -> int:
    """Close rows past their deadline and approvals that nobody gave; notify people of each action; return how many.

    An action that was sent without an answer may have been done: it stays unknown, and people are asked to look.
    """
    with delivery.engine.begin() as connection:
        now = delivery.now(connection)
        expired = expire_overdue(connection, now_millis=now)
        for overdue in expired:
            effect = overdue.effect
            log.warning("delivery.expired", id=effect.id, type=effect.event_type)
            DELIVERIES.labels(effect.kind.value, "expired").inc()
            if effect.action_id is not None:
                unanswered = action_by_id(connection, effect.action_id).state is ActionState.UNKNOWN
                if not unanswered:
                    why = expiry_words(overdue, actions_enabled=delivery.actions_enabled)
                    set_action_state(connection, effect.action_id, ActionState.EXPIRED, why=why)
                event_type = UNANSWERED if unanswered else EXPIRED
                notify_of_failed_action(connection, effect.action_id, event_type=event_type, now_millis=now)
        unapproved = expired_approvals(connection, now_millis=now)
        for action_id in unapproved:
            log.warning("approval.expired", id=action_id)
            set_action_state(connection, action_id, ActionState.EXPIRED, why="not approved in time")
            notify_of_failed_action(connection, action_id, event_type=EXPIRED, now_millis=now)
    return len(expired) + len(unapproved)


def endpoints_with_work(delivery: DeliverySettings) -> tuple[int, ...]:
    """Return the endpoints that something can be sent to now."""
    with delivery.engine.begin() as connection:
        return due_endpoints(connection, now_millis=delivery.now(connection), actions_enabled=delivery.actions_enabled)


def deliver_to_endpoint(
    delivery: DeliverySettings, endpoint_id: int, *, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Send everything that is due to one endpoint, one after the other; return the number of attempts."""
    attempts = 0
    while not stopping():
        with delivery.engine.begin() as connection:
            lease = take_lease(
                connection,
                endpoint_id,
                owner=delivery.owner,
                now_millis=delivery.now(connection),
                lease_millis=delivery.lease_millis,
                actions_enabled=delivery.actions_enabled,
            )
        if lease is None:
            return attempts
        attempts += 1
        began = monotonic_seconds()
        attempt = _attempt(delivery, lease)
        DELIVERY_SECONDS.observe(monotonic_seconds() - began)
        DELIVERIES.labels(lease.effect.kind.value, attempt.outcome.value).inc()
        reach("deliver.after_send")
        with delivery.engine.begin() as connection:
            _close(connection, delivery, lease, attempt)
    return attempts


def _attempt(delivery: DeliverySettings, lease: Lease) -> Attempt:
    if lease.endpoint_type == ReceiverType.LOG:
        return write_log_line(lease)
    if lease.endpoint_type == ReceiverType.WEBHOOK:
        with delivery.engine.connect() as connection:
            now = delivery.now(connection)
        if now > lease.effect.not_after:
            # Suspended since the lease was taken: the deadline is kept, and the next round closes the row as expired.
            return Attempt(outcome=AttemptOutcome.RETRY, error="past its deadline before it could be sent")
        return post_webhook(lease, delivery.webhook, now_millis=now)
    return Attempt(outcome=AttemptOutcome.DEAD, error=f"no receiver of type {lease.endpoint_type}")


def _close(connection: sa.Connection, delivery: DeliverySettings, lease: Lease, attempt: Attempt) -> None:
    now = delivery.now(connection)
    effect = lease.effect
    log.info(
        "delivery.attempted",
        id=effect.id,
        type=effect.event_type,
        endpoint=lease.endpoint_name,
        attempt=lease.attempt,
        outcome=attempt.outcome.value,
        status=attempt.status,
        error=attempt.error,
    )
    state, next_attempt_at = _next(delivery, lease, attempt, now)
    ours = close_lease(
        connection,
        lease,
        state=state,
        status=attempt.status,
        error=attempt.error,
        now_millis=now,
        next_attempt_at=next_attempt_at,
    )
    if not ours:
        log.warning("delivery.fenced", id=effect.id, epoch=lease.epoch)
        return
    if state is DeliveryState.PENDING:
        until = now + BREAKER_SECONDS * 1000
        if note_failure(connection, effect.endpoint_id, limit=BREAKER_FAILURES, broken_until=until):
            log.warning("endpoint.broken", endpoint=lease.endpoint_name, seconds=BREAKER_SECONDS)
    elif state is DeliveryState.DONE:
        note_success(connection, effect.endpoint_id)
    if effect.kind is EffectKind.ACTION and effect.action_id is not None:
        _move_action(connection, effect.action_id, attempt, now)


def _next(delivery: DeliverySettings, lease: Lease, attempt: Attempt, now: int) -> tuple[DeliveryState, int | None]:
    if attempt.outcome is AttemptOutcome.DONE:
        return DeliveryState.DONE, None
    if attempt.outcome is AttemptOutcome.DEAD:
        return DeliveryState.DEAD, None
    delay = retry_delay_seconds(
        lease.effect.kind,
        attempt=lease.attempt,
        fraction=delivery.jitter(),
        retry_after_seconds=attempt.retry_after_seconds,
    )
    return DeliveryState.PENDING, now + int(delay * 1000)


def _move_action(connection: sa.Connection, action_id: str, attempt: Attempt, now: int) -> None:
    if moved := _ACTION_STATES.get(attempt.outcome):
        set_action_state(connection, action_id, moved, why=_why(attempt))
    if moved is ActionState.ACCEPTED:
        assume_rollback(connection, action_id, now_millis=now)
    if attempt.outcome is AttemptOutcome.DEAD:
        notify_of_failed_action(connection, action_id, event_type=FAILED, now_millis=now)


def _why(attempt: Attempt) -> str:
    """Return why the action came to the state that *attempt* brings it to; nothing is to be said of one accepted."""
    if attempt.outcome is AttemptOutcome.DONE:
        return ""
    if attempt.outcome is AttemptOutcome.UNKNOWN:
        return unanswered_words(attempt.error)
    return failure_words(status=attempt.status, error=attempt.error)
