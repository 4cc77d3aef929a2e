"""Reads what a product is sent as it is: an integration key, a token, a password, an address that is a secret."""

from collections.abc import Mapping, Sequence

from alerting.delivery.signing import secret_text
from monitor.errors import SettingsError
from monitor.spec.actions import SecretSource

_WANTED = "expected the key, token, password or address of a receiver"


def read_key(source: SecretSource, environment: Mapping[str, str]) -> str:
    """Return one key; it goes into a header or a URL.

    Raises:
        SettingsError: It is not there, or has characters that no header takes; never shows it.
    """
    place, text = secret_text(source, environment, wanted=_WANTED)
    if not text.isascii() or not text.isprintable():
        raise SettingsError(f"{place}: {_WANTED}, of printable ASCII characters, found others in it")
    return text


def readable_key(sources: Sequence[SecretSource], environment: Mapping[str, str]) -> str:
    """Return the first of several keys that can be read; empty where the spec names none.

    Raises:
        SettingsError: None of them can be read; says why of each.
    """
    problems = []
    for source in sources:
        try:
            return read_key(source, environment)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("; ".join(problems))
    return ""
