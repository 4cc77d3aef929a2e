"""The receiver `log`: a notification as a structured log line, for a start without any channel."""

import msgspec
import structlog

from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.notifications.message import Message
from monitor.store.outbox import Lease

logger = structlog.get_logger()


def write_log_line(lease: Lease) -> Attempt:
    """Write the message as one structured line; always done."""
    body = msgspec.json.decode(lease.effect.body, type=Message)
    logger.warning(
        "notification.sent",
        id=lease.effect.id,
        model=body.model.name,
        tier=body.tier,
        sentence=body.sentence,
        window_end=body.window_end,
        owner=body.owner,
        runbook=body.runbook,
    )
    return Attempt(outcome=AttemptOutcome.DONE)
