"""Texts that are safe to show: one line without control characters, no longer than a product takes; links; pure."""

from urllib.parse import quote, urlsplit

from monitor.humanize import printable

ELLIPSIS = "…"


def one_line(text: str) -> str:
    """Return *text* in one line: white space is one space, what hides or controls is escaped as commands print it."""
    return printable(" ".join(text.split()))


def clipped(text: str, characters: int) -> str:
    """Return *text* in at most so many characters; what is cut off leaves an ellipsis."""
    return text if len(text) <= characters else text[: max(characters - 1, 0)] + ELLIPSIS


def clipped_bytes(text: str, size: int) -> str:
    """Return *text* in at most *size* bytes of UTF-8, no character cut in two."""
    encoded = text.encode()
    if len(encoded) <= size:
        return text
    return encoded[: size - len(ELLIPSIS.encode())].decode(errors="ignore") + ELLIPSIS


def without_brackets(text: str) -> str:
    """Return *text* without angle brackets, for fields that may or may not render HTML or other markup."""
    return text.replace("<", "‹").replace(">", "›")


def web_link(text: str | None) -> str | None:
    """Return *text* as a link that a browser may open, everything encoded that could end it; None for any other text.

    A `javascript:` or `file:` link, and one that names a user before its host, are no links here.
    """
    if not text:
        return None
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    return quote(text.strip(), safe=":/?#[]@!$&'()*+,;=%-._~")
