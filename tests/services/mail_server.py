"""A real mail server: aiosmtpd on a port of its own, with STARTTLS, TLS or neither, that keeps what it accepts."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.services.certificates import Certificate
from tests.services.processes import free_port

USER, PASSWORD = "driftline", "correct horse"


@dataclass  # without slots: aiosmtpd reads every attribute, which Python before 3.11.4 does not let of __weakref__
class Mailbox:
    """What was accepted; *answers* are given before that, one for each mail."""

    answers: list[str] = field(default_factory=list)
    mails: list[Envelope] = field(default_factory=list)
    peers_with_tls: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  its name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.mails.append(envelope)
            self.peers_with_tls.append(session.ssl is not None)
        return answer


@contextmanager
def mail_server(
    mailbox: Mailbox, *, tls: Certificate | None = None, implicit: bool = False, login: bool = False
) -> Iterator[int]:
    """Give the port of a running server on 127.0.0.1.

    Args:
        tls: For STARTTLS; with *implicit*, TLS from the first byte on.
        login: Only `USER` with `PASSWORD` may send.
    """
    context = None
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
    options: dict[str, Any] = {"tls_context": context, "require_starttls": True} if context and not implicit else {}
    if login:
        options |= {"authenticator": _authenticated, "auth_required": True, "auth_require_tls": not implicit}
    port = free_port()
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=port, ssl_context=context if implicit else None, **options
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def _authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)
