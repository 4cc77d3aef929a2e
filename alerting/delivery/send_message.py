"""Sends one stored message to a receiver of a product: its requests, by its way, and what the answers mean."""

import msgspec

from alerting.delivery.keys import readable_key
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.delivery.send import Request, send, tls_context
from alerting.delivery.send_mail import MailLogin, send_mail
from alerting.notifications.message import Message
from alerting.receivers import slack
from alerting.receivers.outgoing import outgoing
from alerting.receivers.request import HttpRequest, Mail
from alerting.receivers.webhook import WebhookSettings
from monitor.clock import monotonic_seconds
from monitor.errors import SettingsError
from monitor.spec.actions import ReceiverSpec, ReceiverType
from monitor.spec.mail_urls import mail_server
from monitor.store.endpoints import EndpointSpec
from monitor.store.outbox import Lease

# somebody may be rotating the token
_SLACK_OUTCOMES = dict.fromkeys(
    ("invalid_auth", "not_authed", "token_expired", "token_revoked"), AttemptOutcome.UNAUTHORIZED
)


def send_message(lease: Lease, destination: EndpointSpec, settings: WebhookSettings, *, deadline: float) -> Attempt:
    """Send one attempt and return its outcome: the first request that was not accepted, or the last one.

    The next attempt sends all of them again, which changes nothing where the product has them by their keys.
    """
    receiver = destination.receiver
    if receiver is None:
        return Attempt(
            outcome=AttemptOutcome.UNCONFIGURED, error=f"the spec has no receiver of type {destination.type}"
        )
    try:
        secret = readable_key(destination.secrets, settings.environment)
    except SettingsError as error:
        return Attempt(outcome=AttemptOutcome.UNCONFIGURED, error=str(error))
    message = msgspec.json.decode(lease.effect.body, type=Message)
    attempt = Attempt(outcome=AttemptOutcome.DONE)
    for request in outgoing(receiver, message, identifier=lease.effect.id, secret=secret):
        if isinstance(request, Mail):
            attempt = _mailed(request, receiver, secret, settings, deadline=deadline)
        else:
            attempt = _posted(request, receiver, settings, deadline=deadline)
        if attempt.outcome is not AttemptOutcome.DONE:
            break
    return attempt


def _posted(request: HttpRequest, receiver: ReceiverSpec, settings: WebhookSettings, *, deadline: float) -> Attempt:
    attempt = send(
        Request(url=request.url, body=request.body, headers=request.headers, method=request.method),
        deadline=deadline,
        allow_private=settings.allow_private,
        targets=settings.targets,
        ca_file=settings.ca_file,
    )
    if receiver.type is ReceiverType.SLACK and attempt.outcome is AttemptOutcome.DONE:
        return _of_slack(attempt)
    return attempt


def _of_slack(attempt: Attempt) -> Attempt:
    refused = slack.refusal(attempt.answer.encode())
    if refused is None:
        return attempt
    reason, passing = refused
    outcome = AttemptOutcome.RETRY if passing else _SLACK_OUTCOMES.get(reason, AttemptOutcome.DEAD)
    return Attempt(outcome=outcome, status=attempt.status, error=f"Slack refused: {reason}")


def _mailed(
    mail: Mail, receiver: ReceiverSpec, password: str, settings: WebhookSettings, *, deadline: float
) -> Attempt:
    remaining = deadline - monotonic_seconds()
    if remaining <= 0:
        return Attempt(outcome=AttemptOutcome.RETRY, error="no time was left to send it")
    return send_mail(
        mail,
        mail_server(receiver.url or ""),
        login=MailLogin(user=receiver.user, password=password) if receiver.user else None,
        timeout_seconds=remaining,
        allow_private=settings.allow_private,
        targets=settings.targets,
        context=tls_context(settings.ca_file),
    )
