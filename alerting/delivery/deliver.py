"""Delivers outbox rows: take a lease on a row, commit, send, close with the lease's epoch."""

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from alerting.actions.assumed_deployments import assume_rollback
from alerting.delivery.destinations import Destinations, Unknown, Withdrawn
from alerting.delivery.failure_words import expiry_words, failure_words, unanswered_words
from alerting.delivery.retry import BREAKER_FAILURES, Attempt, AttemptOutcome, retry_delay_seconds
from alerting.delivery.send import ERROR_CHARACTERS
from alerting.delivery.send_message import send_message
from alerting.notifications.fallback import notify_next_receiver, notify_of_long_undelivered
from alerting.notifications.message import EXPIRED, FAILED, UNANSWERED
from alerting.notifications.outbox_rows import notify_of_failed_action
from alerting.receivers.log import write_log_line
from alerting.receivers.webhook import WebhookSettings, post_webhook
from monitor.clock import monotonic_seconds
from monitor.failpoint import reach
from monitor.metrics import DELIVERIES, DELIVERY_SECONDS
from monitor.spec.actions import ReceiverType
from monitor.store.actions import action_by_id, expired_approvals, note_action, set_action_state
from monitor.store.database_clock import database_now_millis
from monitor.store.endpoints import EndpointSpec, note_answer, note_failure, note_silence, note_success
from monitor.store.outbox import (
    BREAKER_MILLIS,
    DuePlace,
    Lease,
    close_lease,
    due_places,
    take_lease,
)
from monitor.store.overdue import OverdueEffect, expire_overdue
from monitor.types import ActionState, DeliveryState, EffectKind

log = structlog.get_logger()

_LEVELS = {
    AttemptOutcome.DONE: "info",
    AttemptOutcome.WITHDRAWN: "info",
    AttemptOutcome.DEAD: "error",
    AttemptOutcome.UNAUTHORIZED: "error",
    AttemptOutcome.UNCONFIGURED: "error",
}

NowMillis = Callable[[sa.Connection], int]

LEASE_MARGIN_SECONDS = 20.0  # for what is not sending: reading where it goes, writing what became of it
_CLOSE_SECONDS = 5.0  # of them, to write what became of it
ROWS_AT_ONCE = 50  # of one endpoint, before others have their turn

_STATES = {
    AttemptOutcome.DONE: DeliveryState.DONE,
    AttemptOutcome.DEAD: DeliveryState.DEAD,
    AttemptOutcome.WITHDRAWN: DeliveryState.WITHDRAWN,
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
    destinations: Destinations = field(default_factory=Destinations)

    @property
    def lease_millis(self) -> int:
        """Longer than an attempt can take, which has one deadline from the resolver to the answer's end."""
        return int((self.webhook.timeout_seconds + LEASE_MARGIN_SECONDS) * 1000)


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
                _expire_action(connection, overdue, effect.action_id, delivery=delivery, now=now)
            else:
                why = expiry_words(overdue, actions_enabled=True)
                notify_next_receiver(connection, effect, why=why, now_millis=now)
        notify_of_long_undelivered(connection, now_millis=now)
        unapproved = expired_approvals(connection, now_millis=now)
        for action_id in unapproved:
            log.warning("approval.expired", id=action_id)
            set_action_state(connection, action_id, ActionState.EXPIRED, why="not approved in time")
            notify_of_failed_action(connection, action_id, event_type=EXPIRED, now_millis=now)
    return len(expired) + len(unapproved)


def _expire_action(
    connection: sa.Connection, overdue: OverdueEffect, action_id: str, *, delivery: DeliverySettings, now: int
) -> None:
    unanswered = overdue.maybe_received or action_by_id(connection, action_id).state is ActionState.UNKNOWN
    why = expiry_words(overdue, actions_enabled=delivery.actions_enabled)
    state = ActionState.UNKNOWN if unanswered else ActionState.EXPIRED
    set_action_state(connection, action_id, state, why=why)
    event_type = UNANSWERED if unanswered else EXPIRED
    notify_of_failed_action(connection, action_id, event_type=event_type, now_millis=now)


def places_with_work(delivery: DeliverySettings) -> tuple[DuePlace, ...]:
    """Return where something can be sent to now, after the endpoints were brought to the specs in force."""
    with delivery.engine.begin() as connection:
        now = delivery.now(connection)
        delivery.destinations.refresh(connection, now_millis=now)
        return due_places(connection, now_millis=now, actions_enabled=delivery.actions_enabled)


def endpoints_with_work(delivery: DeliverySettings) -> tuple[int, ...]:
    """Return the endpoints that something can be sent to now."""
    return tuple(place.endpoint_id for place in places_with_work(delivery))


def deliver_to_endpoint(
    delivery: DeliverySettings, endpoint_id: int, *, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Send what is due to one endpoint, one after the other, so many at once; return the number of attempts."""
    for attempts in range(ROWS_AT_ONCE):
        if stopping():
            return attempts
        leased_at = monotonic_seconds()
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
        began = monotonic_seconds()
        destination, attempt = _attempt(delivery, lease, lease_ends=leased_at + delivery.lease_millis / 1000)
        DELIVERY_SECONDS.observe(monotonic_seconds() - began)
        DELIVERIES.labels(lease.effect.kind.value, attempt.outcome.value).inc()
        reach("deliver.after_send")
        with delivery.engine.begin() as connection:
            _close(connection, delivery, lease, destination, attempt)
    return ROWS_AT_ONCE


def _attempt(delivery: DeliverySettings, lease: Lease, *, lease_ends: float) -> tuple[EndpointSpec | None, Attempt]:
    """Return where it was sent, and what came of it."""
    with delivery.engine.connect() as connection:
        now = delivery.now(connection)
        destination = delivery.destinations.of(connection, lease)
    if isinstance(destination, Withdrawn):
        return None, Attempt(outcome=AttemptOutcome.WITHDRAWN, error=destination.why)
    if isinstance(destination, Unknown):
        return None, Attempt(outcome=AttemptOutcome.UNCONFIGURED, error=destination.why)
    if now > lease.effect.not_after:
        # Suspended since the lease was taken: the deadline is kept, and the next round closes the row as expired.
        return None, Attempt(outcome=AttemptOutcome.UNCONFIGURED, error="past its deadline before it could be sent")
    try:
        return destination, _sent(delivery, lease, destination, now=now, lease_ends=lease_ends)
    except Exception as error:
        # Whatever is wrong with one row or receiver must not block the endpoint; it may have happened after sending.
        log.exception("delivery.failed", id=lease.effect.id, endpoint=lease.endpoint_name)
        return destination, Attempt(outcome=AttemptOutcome.UNKNOWN, error=f"unforeseen: {error!r}"[:ERROR_CHARACTERS])


def _sent(
    delivery: DeliverySettings, lease: Lease, destination: EndpointSpec, *, now: int, lease_ends: float
) -> Attempt:
    if destination.type == ReceiverType.LOG:
        return write_log_line(lease)
    deadline = min(monotonic_seconds() + delivery.webhook.timeout_seconds, lease_ends - _CLOSE_SECONDS)
    if destination.type == ReceiverType.WEBHOOK:
        return post_webhook(lease, destination, delivery.webhook, now_millis=now, deadline=deadline)
    return send_message(lease, destination, delivery.webhook, deadline=deadline)


def _close(
    connection: sa.Connection,
    delivery: DeliverySettings,
    lease: Lease,
    destination: EndpointSpec | None,
    attempt: Attempt,
) -> None:
    now = delivery.now(connection)
    effect = lease.effect
    _write_line(lease, attempt)
    state = _STATES.get(attempt.outcome, DeliveryState.PENDING)
    ours = close_lease(
        connection,
        lease,
        state=state,
        status=attempt.status,
        error=attempt.error,
        now_millis=now,
        next_attempt_at=_next_attempt_at(delivery, lease, attempt, now) if state is DeliveryState.PENDING else None,
        sent=attempt.outcome.sent,
        maybe_received=attempt.outcome is AttemptOutcome.UNKNOWN,
    )
    if not ours:
        log.warning("delivery.fenced", id=effect.id, epoch=lease.epoch)
        return
    if attempt.outcome.sent:
        _note_health(connection, lease, destination, attempt, now=now)
    if effect.kind is EffectKind.ACTION and effect.action_id is not None:
        _move_action(connection, effect.action_id, lease, attempt, now)
    elif state is DeliveryState.DEAD:
        receiver = lease.place.local_name or lease.place.name.rpartition("/")[2]
        why = _why(attempt, maybe_received=lease.maybe_received)
        notify_next_receiver(connection, effect, why=why, now_millis=now, receiver=receiver)


def _write_line(lease: Lease, attempt: Attempt) -> None:
    """Log one attempt; as an error where somebody has to do something before the row can be delivered."""
    write = getattr(log, _LEVELS.get(attempt.outcome, "warning"))
    write(
        "delivery.attempted",
        id=lease.effect.id,
        type=lease.effect.event_type,
        endpoint=lease.endpoint_name,
        attempt=lease.attempt,
        outcome=attempt.outcome.value,
        status=attempt.status,
        error=attempt.error,
    )


def _note_health(
    connection: sa.Connection, lease: Lease, destination: EndpointSpec | None, attempt: Attempt, *, now: int
) -> None:
    """Count what the attempt says of the endpoint and of its host, which are two: a host that answers 500 is there."""
    until, endpoint_id = now + BREAKER_MILLIS, lease.effect.endpoint_id
    if attempt.outcome is AttemptOutcome.DONE:
        note_success(connection, endpoint_id, now_millis=now)
    elif attempt.outcome is not AttemptOutcome.DEAD and note_failure(
        connection, endpoint_id, limit=BREAKER_FAILURES, broken_until=until
    ):
        log.warning("endpoint.broken", endpoint=lease.endpoint_name, seconds=BREAKER_MILLIS // 1000)
    host = None if destination is None else destination.host
    if host is None:
        return
    if not attempt.unanswered:
        note_answer(connection, host)
    elif note_silence(connection, host, limit=BREAKER_FAILURES, broken_until=until):
        log.warning("host.silent", host=host, seconds=BREAKER_MILLIS // 1000)


def _next_attempt_at(delivery: DeliverySettings, lease: Lease, attempt: Attempt, now: int) -> int:
    delay = retry_delay_seconds(
        lease.effect.kind,
        attempt=lease.attempt,
        fraction=delivery.jitter(),
        retry_after_seconds=attempt.retry_after_seconds,
        outcome=attempt.outcome,
    )
    return now + int(delay * 1000)


def _move_action(connection: sa.Connection, action_id: str, lease: Lease, attempt: Attempt, now: int) -> None:
    """Bring the action to what its request came to; one that may have been done is not known to have failed."""
    why = _why(attempt, maybe_received=lease.maybe_received)
    match attempt.outcome:
        case AttemptOutcome.DONE:
            set_action_state(connection, action_id, ActionState.ACCEPTED)
            assume_rollback(connection, action_id, now_millis=now)
        case AttemptOutcome.UNKNOWN:
            set_action_state(connection, action_id, ActionState.UNKNOWN, why=why)
        case AttemptOutcome.UNAUTHORIZED | AttemptOutcome.UNCONFIGURED:
            note_action(connection, action_id, why=why)
        case AttemptOutcome.DEAD | AttemptOutcome.WITHDRAWN if lease.maybe_received:
            set_action_state(connection, action_id, ActionState.UNKNOWN, why=why)
            notify_of_failed_action(connection, action_id, event_type=UNANSWERED, now_millis=now)
        case AttemptOutcome.DEAD:
            set_action_state(connection, action_id, ActionState.FAILED, why=why)
            notify_of_failed_action(connection, action_id, event_type=FAILED, now_millis=now)
        case AttemptOutcome.WITHDRAWN:
            set_action_state(connection, action_id, ActionState.REJECTED, why=why)


def _why(attempt: Attempt, *, maybe_received: bool) -> str:
    """Return why the action came to the state that *attempt* brings it to, or stays in the one that it is in."""
    if attempt.outcome is AttemptOutcome.UNKNOWN:
        return unanswered_words(attempt.error)
    why = failure_words(status=attempt.status, error=attempt.error)
    if attempt.outcome in (AttemptOutcome.UNCONFIGURED, AttemptOutcome.WITHDRAWN):
        why = f"not sent: {why}"
    earlier = "an earlier attempt had no answer, and the receiver may have done it"
    return f"{why}; {earlier}" if maybe_received else why
