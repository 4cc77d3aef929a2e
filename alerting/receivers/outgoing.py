"""Which requests a receiver is sent for one stored message, by its type in the spec; pure."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from alerting.notifications.briefing import Briefing, briefing, one_per_incident
from alerting.notifications.message import Message
from alerting.receivers import jsm, mail, pagerduty, slack, teams
from alerting.receivers.request import HttpRequest, Mail
from monitor.spec.actions import ReceiverSpec, ReceiverType
from monitor.types import NoticeEvent

Made = TypeVar("Made")
Requests = HttpRequest | Mail | tuple[HttpRequest, ...]
DEFAULT_URLS: Mapping[str, str] = {
    ReceiverType.PAGERDUTY: pagerduty.DEFAULT_URL,
    ReceiverType.JSM: jsm.DEFAULT_URL,
}
_PER_INCIDENT = frozenset({ReceiverType.PAGERDUTY, ReceiverType.JSM})


def outgoing(
    receiver: ReceiverSpec, message: Message, *, identifier: str, secret: str, thread: str = ""
) -> tuple[HttpRequest | Mail, ...]:
    """Return what *receiver* is sent; to send all of it again changes nothing that the product was sent before.

    PagerDuty and JSM follow each incident under its id, so a message of several is a request for each; all others get
    one.

    Args:
        identifier: Of the outbox row.
        secret: The receiver's key, token, password or address; empty where its type needs none.
        thread: Of Slack: the incident's first message.
    """
    make = _MAKERS[receiver.type]
    parts = one_per_incident(message) if receiver.type in _PER_INCIDENT else (message,)
    requests: list[HttpRequest | Mail] = []
    for part in parts:
        made = make(briefing(part, identifier=identifier), receiver, secret, thread)
        requests += made if isinstance(made, tuple) else (made,)
    return tuple(requests)


def _pagerduty(said: Briefing, receiver: ReceiverSpec, secret: str, thread: str) -> HttpRequest:
    target = pagerduty.PagerDutyTarget(routing_key=secret, url=receiver.url or pagerduty.DEFAULT_URL)
    make = _chosen(said, pagerduty.trigger, pagerduty.update, pagerduty.acknowledge, pagerduty.end)
    return make(said, target)


def _jsm(said: Briefing, receiver: ReceiverSpec, secret: str, thread: str) -> tuple[HttpRequest, ...]:
    target = jsm.JsmTarget(api_key=secret, url=receiver.url or jsm.DEFAULT_URL)
    return _chosen(said, jsm.trigger, jsm.update, jsm.acknowledge, jsm.end)(said, target)


def _slack(said: Briefing, receiver: ReceiverSpec, secret: str, thread: str) -> HttpRequest:
    if receiver.channel:
        url = receiver.url or slack.POST_URL
        target = slack.SlackTarget(url=url, token=secret, channel=receiver.channel, thread=thread)
    else:
        target = slack.SlackTarget(url=secret)
    return _chosen(said, slack.trigger, slack.update, slack.acknowledge, slack.end)(said, target)


def _teams(said: Briefing, receiver: ReceiverSpec, secret: str, thread: str) -> HttpRequest:
    target = teams.TeamsTarget(url=secret)
    return _chosen(said, teams.trigger, teams.update, teams.acknowledge, teams.end)(said, target)


def _mail(said: Briefing, receiver: ReceiverSpec, secret: str, thread: str) -> Mail:
    target = mail.MailTarget(sender=receiver.sender or "", recipients=receiver.to)
    return _chosen(said, mail.trigger, mail.update, mail.acknowledge, mail.end)(said, target)


def _chosen(said: Briefing, trigger: Made, update: Made, acknowledge: Made, end: Made) -> Made:
    """Return the function for the event of *said*."""
    match said.event:
        case NoticeEvent.TRIGGER:
            return trigger
        case NoticeEvent.UPDATE:
            return update
        case NoticeEvent.ACKNOWLEDGE:
            return acknowledge
        case NoticeEvent.END:
            return end


_MAKERS: Mapping[
    ReceiverType, Callable[[Briefing, ReceiverSpec, str, str], HttpRequest | Mail | tuple[HttpRequest, ...]]
] = {
    ReceiverType.PAGERDUTY: _pagerduty,
    ReceiverType.JSM: _jsm,
    ReceiverType.SLACK: _slack,
    ReceiverType.TEAMS: _teams,
    ReceiverType.MAIL: _mail,
}
