"""A message that could not be delivered goes to the next receiver: no page is lost in silence."""

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
import structlog

from alerting.notifications.message import Message, undelivered
from alerting.notifications.outbox_rows import NOTIFICATION_LIFETIME_MILLIS, endpoints_of, notification_effect
from monitor.metrics import MESSAGES_LOST
from monitor.spec.actions import ReceiverSpec
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.endpoints import ensure_endpoints
from monitor.store.incidents import model_of_incident
from monitor.store.outbox import Effect, append_effects
from monitor.store.waiting_messages import take_long_undelivered

log = structlog.get_logger()


def next_receiver(
    receivers: Sequence[ReceiverSpec], *, failed: str, not_notified: Collection[str]
) -> ReceiverSpec | None:
    """Return whom to notify instead of *failed*: the next in the spec's order, after the last one the first.

    Args:
        not_notified: Who was tried before; None is left once that is everyone.
    """
    names = [receiver.name for receiver in receivers]
    after = names.index(failed) + 1 if failed in names else 0
    in_order = [*receivers[after:], *receivers[:after]]
    return next((receiver for receiver in in_order if receiver.name not in {failed, *not_notified}), None)


def notify_next_receiver(
    connection: sa.Connection, effect: Effect, *, why: str, now_millis: int, receiver: str | None = None
) -> None:
    """Append what *effect* said for the next receiver, in the transaction that gave up delivering it.

    Once nobody is left it is an error of the log, with all that it said.

    Args:
        why: In words, why it was not delivered.
        receiver: Where the row does not say it: the last part of its endpoint's name.
    """
    name = effect.receiver or receiver or "unknown"
    body = _decoded(effect)
    applied = _model_of(connection, effect)
    if body is not None and applied is not None:
        instead = next_receiver(applied.spec.alerting.queued_receivers, failed=name, not_notified=body.not_notified)
        if instead is not None:
            _append(connection, effect, undelivered(body, receiver=name, why=why, now_millis=now_millis),
                    applied=applied, receiver=instead, now_millis=now_millis)  # fmt: skip
            log.warning("message.to_next_receiver", id=effect.id, receiver=name, next=instead.name, problem=why)
            return
    MESSAGES_LOST.inc()
    log.error(
        "message.lost",
        id=effect.id,
        type=effect.event_type,
        receiver=name,
        problem=why,
        message=effect.body.decode(errors="replace") if body is None else body.sentence,
        do="nobody was notified: add a receiver to the spec that answers, and look at `driftline incidents`",
    )


def notify_of_long_undelivered(connection: sa.Connection, *, now_millis: int) -> None:
    """Notify the next receivers of messages that wait as long as one may, newer ones having taken the older's place.

    They wait on: once their receiver answers, it is sent what is so by then.
    """
    before = now_millis - NOTIFICATION_LIFETIME_MILLIS
    for effect in take_long_undelivered(connection, before_millis=before, now_millis=now_millis):
        notify_next_receiver(connection, effect, why="not delivered in time, and still tried", now_millis=now_millis)


def _append(
    connection: sa.Connection,
    effect: Effect,
    body: Message,
    *,
    applied: AppliedModel,
    receiver: ReceiverSpec,
    now_millis: int,
) -> None:
    notice = notification_effect(
        body,
        applied=applied,
        receiver=receiver,
        endpoints=ensure_endpoints(connection, endpoints_of(applied.spec), model_id=applied.model_id),
        subject=("instead", effect.id),
        incident_id=effect.incident_id,
        now_millis=now_millis,
    )
    append_effects(connection, [notice], now_millis=now_millis)


def _decoded(effect: Effect) -> Message | None:
    try:
        return msgspec.json.decode(effect.body, type=Message)
    except msgspec.MsgspecError:
        return None  # the program before wrote it otherwise: it goes into the log as it is


def _model_of(connection: sa.Connection, effect: Effect) -> AppliedModel | None:
    model_id = effect.model_id
    if model_id is None and effect.incident_id is not None:
        model_id = model_of_incident(connection, effect.incident_id)
    return next((model for model in load_configuration(connection).models if model.model_id == model_id), None)
