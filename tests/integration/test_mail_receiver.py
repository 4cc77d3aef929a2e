"""Mails over real SMTP: the thread of an incident, TLS, logins, and what a server's answers mean."""

import email
import email.policy
import socket
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import Envelope

from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.delivery.send_mail import MailLogin, send_mail
from alerting.notifications.briefing import briefing
from alerting.receivers import mail
from monitor.settings import load_settings
from monitor.spec.mail_urls import MailSecurity, MailServer, mail_server
from monitor.targets import AllowedTargets
from monitor.types import NoticeEvent
from tests.models.messages import INCIDENT, NAME_NUMBERS, NASTY_NAMES, OPENED, ROW, named, story_briefing
from tests.services import mail_server as service
from tests.services.certificates import Authority
from tests.services.mail_server import Mailbox

TARGET = mail.MailTarget(sender="driftline@example.org", recipients=("oncall@example.org", "lead@example.org"))
EVENTS = tuple(NoticeEvent)
THIS_MACHINE = AllowedTargets.parse(load_settings().targets)  # the default is enough for a server on localhost


def send(
    event: NoticeEvent,
    server: MailServer,
    *,
    login: MailLogin | None = None,
    ca: Path | None = None,
    seconds: float = 20.0,
) -> Attempt:
    """Send one mail of the story, trusting *ca*."""
    request = getattr(mail, event)(story_briefing(event), TARGET)
    context = ssl.create_default_context(cafile=ca)
    return send_mail(
        request,
        server,
        login=login,
        timeout_seconds=seconds,
        allow_private=False,
        targets=THIS_MACHINE,
        context=context,
    )


def plain(port: int) -> MailServer:
    return mail_server(f"smtp+plain://127.0.0.1:{port}")


def mail_of(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_an_incident_is_one_thread_in_the_mailbox() -> None:
    """Four mails: each its own id, all replies to one; subject and text as they were written, to both recipients."""
    mailbox = Mailbox()
    with service.mail_server(mailbox) as port:
        outcomes = [send(event, plain(port)).outcome for event in EVENTS]
    assert outcomes == [AttemptOutcome.DONE] * 4
    mails = [mail_of(envelope) for envelope in mailbox.mails]
    assert {message["References"] for message in mails} == {f"<{INCIDENT}@example.org>"}
    assert len({message["Message-ID"] for message in mails}) == 4
    assert [message["Subject"].split("]")[0] for message in mails] == [
        "[CRITICAL",
        "[WARNING, was CRITICAL",
        "[ACKNOWLEDGED",
        "[RESOLVED",
    ]
    assert "naturally moves ×1.2" in mails[0].get_content()
    assert [envelope.rcpt_tos for envelope in mailbox.mails] == [list(TARGET.recipients)] * 4


@pytest.mark.parametrize("name", NASTY_NAMES, ids=NAME_NUMBERS)
def test_a_name_adds_no_recipient_and_no_header(name: str) -> None:
    """On a real server: one mail to our two recipients, whatever the model is called."""
    mailbox = Mailbox()
    request = mail.trigger(briefing(named(OPENED, name), identifier=ROW), TARGET)
    with service.mail_server(mailbox) as port:
        context = ssl.create_default_context()
        send_mail(request, plain(port), timeout_seconds=20, allow_private=False, targets=THIS_MACHINE, context=context)
    (envelope,) = mailbox.mails
    assert envelope.rcpt_tos == list(TARGET.recipients)
    assert mail_of(envelope)["Bcc"] is None


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # of aiosmtpd, below TLS of its own
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_password_and_mail_go_over_tls_alone(scheme: str, authority: Authority) -> None:
    """STARTTLS and TLS from the first byte, with the certificate checked against the name; a login where one is set."""
    mailbox = Mailbox()
    with service.mail_server(mailbox, tls=authority.issue("mail"), implicit=scheme == "smtps", login=True) as port:
        url = f"{scheme}://localhost:{port}"
        server, right = mail_server(url), MailLogin(user=service.USER, password=service.PASSWORD)
        assert send(EVENTS[0], server, login=right, ca=authority.file).outcome is AttemptOutcome.DONE
        wrong = send(EVENTS[0], server, login=MailLogin(user=service.USER, password="another"), ca=authority.file)
        untrusted = send(EVENTS[0], server, login=right)
    assert (wrong.outcome, wrong.status) == (AttemptOutcome.UNAUTHORIZED, 535)
    assert untrusted.outcome is AttemptOutcome.RETRY
    assert "certificate verify failed" in (untrusted.error or "")
    assert len(mailbox.mails) == 1
    assert "correct horse" not in repr(right)


def test_a_server_without_starttls_is_sent_nothing() -> None:
    """`smtp://` never falls back to plain text."""
    mailbox = Mailbox()
    with service.mail_server(mailbox) as port:
        attempt = send(EVENTS[0], mail_server(f"smtp://localhost:{port}"))
    assert (attempt.outcome, mailbox.mails) == (AttemptOutcome.DEAD, [])
    assert "STARTTLS" in (attempt.error or "")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 try later", AttemptOutcome.RETRY), ("554 refused: spam", AttemptOutcome.DEAD)],
)
def test_a_code_of_4xx_comes_again_and_5xx_is_final(answer: str, outcome: AttemptOutcome) -> None:
    """As RFC 5321 has it; what the server said is kept for the reader."""
    mailbox = Mailbox(answers=[answer])
    with service.mail_server(mailbox) as port:
        attempt = send(EVENTS[0], plain(port))
    assert (attempt.outcome, attempt.status) == (outcome, int(answer[:3]))
    assert attempt.error == answer[4:]


def test_nobody_there_is_tried_again() -> None:
    """A closed port: certainly not accepted."""
    assert send(EVENTS[0], plain(9)).outcome is AttemptOutcome.RETRY


def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    """A byte of greeting each 50 ms for ever: the attempt ends in the time that it has in all."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        attempt = send(EVENTS[0], plain(listening.getsockname()[1]), seconds=0.5)
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert attempt.outcome is AttemptOutcome.RETRY


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://mail.example.org", "smtp://"),
        ("smtp://", "a host"),
        ("smtp://user:secret@mail.example.org", "a key of its own"),
        ("smtps://mail.example.org/inbox", "only a host"),
        ("smtp://mail.example.org:99999", "out of range"),
    ],
)
def test_an_address_that_is_no_mail_server_is_named(url: str, says: str) -> None:
    """Before anything is sent, without the password in it."""
    with pytest.raises(ValueError, match=says) as raised:
        mail_server(url)
    assert "secret" not in str(raised.value)


def test_a_scheme_has_its_port() -> None:
    """587 for STARTTLS, 465 for TLS, 25 without."""
    servers = [mail_server(f"{security.value}://mail.example.org") for security in MailSecurity]
    assert [(server.security, server.port) for server in servers] == [
        (MailSecurity.STARTTLS, 587),
        (MailSecurity.TLS, 465),
        (MailSecurity.NONE, 25),
    ]
