"""What may be the URL of a receiver: which ones can be sent to, and which host they name; pure."""

from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
_LABEL, _HOST = 63, 253


def url_problem(url: str) -> str | None:
    """Return what is wrong with *url*, in words for who wrote it; None when a request can be sent to it.

    Never shows more of it than scheme, host and port: the rest may be a secret.
    """
    if bad := next((character for character in url if ord(character) <= 32 or ord(character) == 127), None):
        return f"expected a URL without spaces and control characters, found {bad!a} in it"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return f"expected a URL, found one that cannot be read: {error}"
    try:
        host, port = parts.hostname, _port(parts)
    except ValueError:  # its words quote what stands there: a password's first part, where it has a / of its own
        return "expected a port from 1 to 65535 after the colon, found none; in a password write / as %2F, # as %23"
    if parts.scheme not in PORTS:
        return f"expected a URL with http:// or https://, found {parts.scheme or 'no scheme'}"
    if not host:
        return "expected a URL with a host, found none"
    if not 0 < port < 65536:
        return f"expected a port from 1 to 65535, found {port}"
    return _host_problem(host)


def host_of(url: str) -> str | None:
    """Return scheme, host and port of *url*, which is what answers or does not; None when it cannot be sent to."""
    if url_problem(url) is not None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{_port(parts)}"


def _port(parts: SplitResult) -> int:
    return PORTS.get(parts.scheme, 0) if parts.port is None else parts.port


def _host_problem(host: str) -> str | None:
    if ":" in host:  # an address of IPv6, which urlsplit has checked
        return None
    labels = host.removesuffix(".").split(".")
    try:
        encoded = [label.encode("idna") for label in labels]
    except UnicodeError:
        encoded = []
    if not encoded or any(not 0 < len(label) <= _LABEL for label in encoded):
        return f"expected a host of labels of 1 to {_LABEL} characters, found {ascii(host)[1:-1][:100]}"
    if len(b".".join(encoded)) > _HOST:
        return f"expected a host of at most {_HOST} characters, found {len(host)}"
    return None
