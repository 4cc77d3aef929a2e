"""Sends one mail to a mail server at a checked address, and says what its answer means; by one deadline."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from alerting.delivery.address_guard import TargetRefused, TargetUnresolved, checked_address
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.receivers.request import Mail
from monitor.spec.mail_urls import MailSecurity, MailServer
from monitor.targets import AllowedTargets

ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLogin:
    """Who hands over mails; only over TLS."""

    user: str
    password: str = field(repr=False)


def send_mail(
    mail: Mail,
    server: MailServer,
    *,
    login: MailLogin | None = None,
    timeout_seconds: float,
    allow_private: bool,
    targets: AllowedTargets,
    context: ssl.SSLContext,
) -> Attempt:
    """Send one attempt and return its outcome; a login over a connection without TLS is left out.

    A code of 4xx is tried again, 5xx is final; after the text was sent, no answer means that it may have arrived: it is
    sent again under the same `Message-ID`.
    """
    try:
        # only the host is judged: the guard knows the schemes of webhooks
        netloc = f"[{server.host}]" if ":" in server.host else server.host
        address = checked_address(f"https://{netloc}:{server.port}", allow_private=allow_private, targets=targets)
    except TargetRefused as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=str(error))
    except TargetUnresolved as error:
        return Attempt(outcome=AttemptOutcome.RETRY, error=str(error))
    connection = _Connection(server, login, address, timeout_seconds=timeout_seconds, context=context)
    sent = False
    try:
        with _deadline(connection, timeout_seconds):
            connection.open()
            sent = True
            refused = connection.sendmail(mail.sender, list(mail.recipients), mail.content)
    except smtplib.SMTPRecipientsRefused as error:
        return _refused(*max(error.recipients.values(), key=lambda answer: answer[0]))
    except smtplib.SMTPAuthenticationError as error:
        answer = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return Attempt(outcome=AttemptOutcome.UNAUTHORIZED, status=error.smtp_code, error=answer[:ERROR_CHARACTERS])
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

    def __init__(
        self,
        server: MailServer,
        login: MailLogin | None,
        address: str,
        *,
        timeout_seconds: float,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(local_hostname="driftline", timeout=timeout_seconds)
        self._server = server
        self._login = login
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
        if self._login is not None and self._server.security is not MailSecurity.NONE:
            self.login(self._login.user, self._login.password)

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
