"""What may be shown of addresses that carry secrets: a DSN without its password, a web address without its path."""

import re
from urllib.parse import urlsplit

MASK = "***"
_USER = re.compile(r"(?P<user>[^:/?#@]*)(?::(?P<password>.*))?", re.DOTALL)
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]*)(?::(?P<port>\d*))?(?P<database>/[^?#@]*)?", re.ASCII)
# Of a DSN's query only what is known to be no secret; a password has many names there (`password`, `sslpassword`).
_SHOWN_PARAMETERS = ("application_name", "connect_timeout", "dbname", "host", "port", "sslmode", "target_session_attrs")


def shown_dsn(dsn: str) -> str:
    """Return *dsn* (`postgresql://user:password@host:port/database?name=value`) without what may be a secret.

    What may be part of a password is masked with it: all up to the last `@`, a port that is no number.
    """
    scheme, separator, rest = dsn.partition("://")
    if not separator or not re.fullmatch(r"[\w+.-]+", scheme, re.ASCII):
        return "(not a URL)"
    path, mark, query = rest.partition("?")
    if "@" in query and not all("=" in pair for pair in query.split("&")[: query.count("@")]):
        return f"{scheme}://{MASK}"
    access, at, place = path.rpartition("@")
    shown = f"{scheme}://{_shown_user(access)}{at}{_shown_place(place)}"
    return f"{shown}?{'&'.join(map(_shown_parameter, query.split('&')))}" if mark else shown


def _shown_user(access: str) -> str:
    parts = _USER.fullmatch(access)
    if parts is None:
        return MASK
    return parts["user"] + (f":{MASK}" if parts["password"] is not None else "")


def _shown_place(place: str) -> str:
    parts = _PLACE.fullmatch(place)
    return MASK if parts is None else place


def _shown_parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if not equals or not re.fullmatch(r"\w+", name, re.ASCII):
        return MASK
    return pair if name in _SHOWN_PARAMETERS and "@" not in pair else f"{name}={MASK}"


def shown_web_address(url: str) -> str:
    """Return scheme and host of *url*: of a chat's or a heartbeat's address the path is the secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "(not a URL)"
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[\w.:-]+", host, re.ASCII):
        return "(not a URL)"
    named = f"[{host}]" if ":" in host else host
    rest = "/…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{named}{f':{port}' if port else ''}{rest}"
