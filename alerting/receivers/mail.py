"""The receiver `mail`: a plain text mail; all mails of an incident are one thread by its id; pure.

Every mail refers to one id that is made from the incident's, as replies to one mail do: so the thread holds together
without storing anything, and whichever of them arrives first. A `Message-ID` adds the outbox row's id: a mail that is
sent again is the same mail, and two receivers of one mailbox get one each.
"""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped, one_line
from alerting.receivers.request import Mail
from alerting.receivers.text_body import plain_text
from monitor.types import NoticeEvent, Tier

SUBJECT_CHARACTERS = 200

_POLICY = SMTP.clone(cte_type="7bit")  # every server takes it, also one without 8BITMIME
_UNFOLDED = _POLICY.clone(max_line_length=998)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTarget:
    """Who gets the mail and whom it is from; plain addresses, without names."""

    sender: str
    recipients: tuple[str, ...]


def trigger(briefing: Briefing, target: MailTarget) -> Mail:
    """Return a mail in the incident's thread; of an incident that opens again, in the thread of before."""
    sender = _address(target.sender)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = [_address(recipient) for recipient in target.recipients]
    mail["Subject"] = clipped(one_line(briefing.title), SUBJECT_CHARACTERS)
    mail["Date"] = format_datetime(datetime.fromisoformat(briefing.timestamp))
    mail["Message-ID"] = f"<{briefing.key}.{briefing.id}@{sender.domain}>"
    mail["References"] = f"<{briefing.key}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from someone who is away
    if briefing.tier == Tier.CRITICAL.word and briefing.event in (NoticeEvent.TRIGGER, NoticeEvent.UPDATE):
        mail["Importance"] = "high"
    mail.set_content(plain_text(briefing) + "\n")
    # folded, a long subject of one language would begin on its second line; encoded words have to be short
    policy = _UNFOLDED if mail["Subject"].isascii() else _POLICY
    return Mail(sender=target.sender, recipients=target.recipients, content=mail.as_bytes(policy=policy))


def update(briefing: Briefing, target: MailTarget) -> Mail:
    """Return a mail in the incident's thread."""
    return trigger(briefing, target)


def acknowledge(briefing: Briefing, target: MailTarget) -> Mail:
    """Return a mail in the incident's thread."""
    return trigger(briefing, target)


def end(briefing: Briefing, target: MailTarget) -> Mail:
    """Return a mail in the incident's thread."""
    return trigger(briefing, target)


def _address(text: str) -> Address:
    return Address(addr_spec=text)
