"""What may be the URL of a mail server: smtp://, which is STARTTLS, smtps:// or smtp+plain://, host and port; pure."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class MailSecurity(StrEnum):
    """How the connection to a mail server is protected; the scheme of its URL."""

    STARTTLS = "smtp"  # asked for before anything else, and required
    TLS = "smtps"
    NONE = "smtp+plain"  # in a network that is trusted; no password is ever sent over it


_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over."""

    host: str
    port: int
    security: MailSecurity


def mail_server(url: str) -> MailServer:
    """Return the server at *url*.

    Raises:
        ValueError: Another scheme, no host, a path, a user in the URL, or a port that is none; shows no password.
    """
    parts = urlsplit(url)
    schemes = ", ".join(f"{security.value}://" for security in MailSecurity)
    if parts.scheme not in {security.value for security in MailSecurity} or not parts.hostname:
        raise ValueError(f"expected {schemes} and a host, found {parts.scheme}://{parts.hostname or ''}")
    if "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("expected only a host and a port after the scheme; the user is a key of its own")
    security = MailSecurity(parts.scheme)
    return MailServer(host=parts.hostname, port=parts.port or _PORTS[security], security=security)
