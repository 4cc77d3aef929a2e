"""The receiver `webhook`: a signed HTTP POST of the message as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from alerting.delivery.address_guard import NONE_ALLOWED
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.delivery.send import Request, send
from alerting.delivery.signing import readable_secrets, signed_headers
from alerting.notifications.briefing import briefing, one_per_incident
from alerting.notifications.message import Message
from alerting.receivers.alertmanager_body import alertmanager_body
from monitor.errors import SettingsError
from monitor.store.endpoints import EndpointSpec
from monitor.store.outbox import Lease
from monitor.targets import AllowedTargets


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """How webhooks are sent.

    Attributes:
        timeout_seconds: Of one attempt, from resolving the name to the end of the answer.
        environment: Where secrets come from, at each attempt; they stay there.
        ca_file: Certificates of private authorities that are trusted besides the system's.
    """

    timeout_seconds: float
    allow_private: bool
    targets: AllowedTargets = NONE_ALLOWED
    environment: Mapping[str, str]
    ca_file: Path | None = None


def post_webhook(
    lease: Lease, destination: EndpointSpec, settings: WebhookSettings, *, now_millis: int, deadline: float
) -> Attempt:
    """Send one attempt to *destination* and return its outcome."""
    if destination.url is None:
        return Attempt(outcome=AttemptOutcome.UNCONFIGURED, error="the spec has no url to send it to")
    try:
        secrets = readable_secrets(destination.secrets, settings.environment)
    except SettingsError as error:
        return Attempt(outcome=AttemptOutcome.UNCONFIGURED, error=str(error))
    body = _body(lease, destination)
    headers = signed_headers(secrets, identifier=lease.effect.id, body=body, now_millis=now_millis)
    request = Request(url=destination.url, headers=headers, body=body)
    return send(
        request,
        deadline=deadline,
        allow_private=settings.allow_private,
        targets=settings.targets,
        ca_file=settings.ca_file,
    )


def _body(lease: Lease, destination: EndpointSpec) -> bytes:
    """Return what is signed: the stored body, or Alertmanager's where the spec wants that of a message."""
    stored = lease.effect.body
    if destination.receiver is None or destination.receiver.body == "driftline":
        return stored
    message = msgspec.json.decode(stored, type=Message)
    said = [briefing(part, identifier=lease.effect.id) for part in one_per_incident(message)]
    return msgspec.json.encode(alertmanager_body(said, receiver=destination.receiver.name))
