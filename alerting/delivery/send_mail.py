"""Sends one mail to a mail server at a checked address, and says what its answer means; by one deadline."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from alerting.delivery.address_guard import TargetRefused, TargetUnresolved, checked_address
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.receivers.request import Mail

ERROR_CHARACTERS = 300


class MailSecurity(StrEnum):
    """How the connection to a mail server is protected; the scheme of its URL."""

    STARTTLS = "smtp"  # asked for before anything else, and required
    TLS = "smtps"
    NONE = "smtp+plain"  # in a network that is trusted; no password is ever sent over it


_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over, as whom; *password* is read again at each attempt."""

    host: str
    port: int
    security: MailSecurity
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def mail_server(url: str, *, user: str | None = None, password: str | None = None) -> MailServer:
    """Return the server at *url*: smtp:// with STARTTLS, smtps:// or smtp+plain://, a host, maybe a port.

    Raises:
        ValueError: Another scheme, no host, a path, a user in the URL, a port that is none, or a password without TLS.
    """
    parts = urlsplit(url)
    schemes = ", ".join(f"{security.value}://" for security in MailSecurity)
    if parts.scheme not in {security.value for security in MailSecurity} or not parts.hostname:
        raise ValueError(f"expected {schemes} and a host, found {parts.scheme}://{parts.hostname or ''}")
    if "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("expected only a host and a port after the scheme; the user is a key of its own")
    security = MailSecurity(parts.scheme)
    if security is MailSecurity.NONE and (user or password):
        raise ValueError("a password would be readable on the way: use smtps:// or smtp://, which is STARTTLS")
    return MailServer(
        host=parts.hostname, port=parts.port or _PORTS[security], security=security, user=user, password=password
    )


def send_mail(
    mail: Mail, server: MailServer, *, timeout_seconds: float, allow_private: bool, context: ssl.SSLContext
) -> Attempt:
    """Send one attempt and return its outcome.

    A code of 4xx is tried again, 5xx is final; after the text was sent, no answer means that it may have arrived: it is
    sent again under the same `Message-ID`.
    """
    try:
        # only the host is judged: the guard knows the schemes of webhooks
        netloc = f"[{server.host}]" if ":" in server.host else server.host
        address = checked_address(f"https://{netloc}:{server.port}", allow_private=allow_private)
    except TargetRefused as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=str(error))
    except TargetUnresolved as error:
        return Attempt(outcome=AttemptOutcome.RETRY, error=str(error))
    connection = _Connection(server, address, timeout_seconds=timeout_seconds, context=context)
    sent = False
    try:
        with _deadline(connection, timeout_seconds):
            connection.open()
            sent = True
            refused = connection.sendmail(mail.sender, list(mail.recipients), mail.content)
    except smtplib.SMTPRecipientsRefused as error:
        return _refused(*max(error.recipients.values(), key=lambda answer: answer[0]))
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=str(error)[:ERROR_CHARACTERS])
    except (OSError, smtplib.SMTPException) as error:
        said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        return Attempt(outcome=AttemptOutcome.UNKNOWN if sent else AttemptOutcome.RETRY, error=said)
    finally:
        connection.close()
    # to send it again would reach those that accepted it a second time
    left_out = f"not accepted for {', '.join(sorted(refused))}" if refused else None
    return Attempt(outcome=AttemptOutcome.DONE, status=250, error=left_out)


def _refused(code: int, answer: bytes | str) -> Attempt:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    outcome = AttemptOutcome.DEAD if 500 <= code < 600 else AttemptOutcome.RETRY
    return Attempt(outcome=outcome, status=code if code > 0 else None, error=text[:ERROR_CHARACTERS])


class _Connection(smtplib.SMTP):
    """A connection to the address that was checked; the certificate is that of the name."""

    def __init__(self, server: MailServer, address: str, *, timeout_seconds: float, context: ssl.SSLContext) -> None:
        super().__init__(local_hostname="driftline", timeout=timeout_seconds)
        self._server = server
        self._address = address
        self._context = context
        self._host = server.host  # by which STARTTLS checks the certificate

    def open(self) -> None:
        """Connect, protect the connection as the server's URL says, log in."""
        code, answer = self.connect(self._server.host, self._server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)
        self.ehlo_or_helo_if_needed()
        if self._server.security is MailSecurity.STARTTLS:
            self.starttls(context=self._context)
            self.ehlo()
        if self._server.user and self._server.password is not None:
            self.login(self._server.user, self._server.password)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        if self._server.security is MailSecurity.TLS:
            return self._context.wrap_socket(plain, server_hostname=host)
        return plain


@contextmanager
def _deadline(connection: _Connection, seconds: float) -> Iterator[None]:
    """Break the connection off after so many seconds in all: a server that answers a byte a second keeps nobody."""

    def break_off() -> None:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, break_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
