"""The types of receivers, which keys each needs and knows, and which values they may have; pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from enum import StrEnum

SECRET = "secret"  # or its short form, `secret_env`
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OWN_LABELS = frozenset({"alertname", "kind", "model", "namespace"})
"""Labels that every alert of Driftline has; an operator's have other names."""


class ReceiverType(StrEnum):
    """How a receiver is reached."""

    LOG = "log"
    WEBHOOK = "webhook"
    ALERTMANAGER = "alertmanager"
    PAGERDUTY = "pagerduty"
    JSM = "jsm"
    SLACK = "slack"
    TEAMS = "teams"
    MAIL = "mail"

    @property
    def queued(self) -> bool:
        """Whether its messages are rows of the outbox; Alertmanager is posted what stands, in a loop."""
        return self is not ReceiverType.ALERTMANAGER

    @property
    def signs(self) -> bool:
        """Whether its secret signs what is sent; everybody else's is sent, or is where to send to."""
        return self is ReceiverType.WEBHOOK


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Keys that a type needs, and others that it knows."""

    needs: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()


# `url` and `secret` of a log were never looked at: specs of before may have them
RECEIVER_KEYS: Mapping[ReceiverType, KeyRules] = {
    ReceiverType.LOG: KeyRules(knows=("url", SECRET)),
    ReceiverType.WEBHOOK: KeyRules(needs=("url", SECRET), knows=("body",)),
    ReceiverType.ALERTMANAGER: KeyRules(needs=("urls",), knows=("labels",)),
    ReceiverType.PAGERDUTY: KeyRules(needs=(SECRET,), knows=("url",)),
    ReceiverType.JSM: KeyRules(needs=(SECRET,), knows=("url",)),
    ReceiverType.SLACK: KeyRules(needs=(SECRET,), knows=("channel", "url")),
    ReceiverType.TEAMS: KeyRules(needs=(SECRET,)),
    ReceiverType.MAIL: KeyRules(needs=("url", "sender", "to"), knows=("user", SECRET)),
}


def key_problems(receiver_type: ReceiverType, given: Collection[str]) -> list[str]:
    """Return what is missing and what the type does not know, in words for who wrote the spec."""
    rules = RECEIVER_KEYS[receiver_type]
    missing = [_named(key) for key in rules.needs if key not in given]
    known = (*rules.needs, *rules.knows)
    a_type = f"a{'n' if receiver_type[0] in 'aeiou' else ''} {receiver_type}"
    problems = [f"{a_type} receiver needs {_listed(missing)}"] if missing else []
    for key in given:
        if key not in known:
            knowing = sorted(name for name, other in RECEIVER_KEYS.items() if key in (*other.needs, *other.knows))
            problems.append(f"{a_type} receiver knows no {key}: that is a key of {', '.join(knowing)}")
    return problems


def label_problems(labels: Mapping[str, str]) -> list[str]:
    """Return which labels Alertmanager would not take, or would be taken for Driftline's own."""
    wrong = [f"expected a label's name of letters, digits and _, found {name!r}" for name in labels if not _fits(name)]
    own = [f"{name} is a label that every alert has" for name in labels if name in OWN_LABELS]
    return [*wrong, *own]


def address_problems(addresses: Sequence[str]) -> list[str]:
    """Return which mail addresses are none; a display name is not part of one."""
    return [
        f"expected a mail address such as oncall@example.org, found {address!r}"
        for address in addresses
        if not _is_address(address)
    ]


def _fits(name: str) -> bool:
    return _LABEL.fullmatch(name) is not None and not name.startswith("__")


def _is_address(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(address.username and address.domain) and text.isascii() and text.isprintable()


def _named(key: str) -> str:
    return "secret or secret_env" if key == SECRET else key


def _listed(keys: Sequence[str]) -> str:
    *first, last = keys
    return f"{', '.join(first)}, and {last}" if first else last
