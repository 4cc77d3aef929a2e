"""How the Kafka clients are configured and why, what they say when they cannot connect, and their plain values."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Producer

from monitor.errors import SettingsError, UnavailableError
from monitor.kafka_security import SaslMechanism
from monitor.settings import GroupProtocol, Settings
from monitor.types import PartitionKey, Service

ANSWER_SECONDS = 10.0
COMPLAINTS_KEPT = 50  # a client without a broker has some a second

# What a broker that is there, or TLS, has against us: by the client's words, for its codes are often only "transport".
_REFUSALS = (
    (
        re.compile("authorization failed", re.IGNORECASE),
        "Grant it to the user or certificate: docs/operations.md lists what Driftline needs.",
    ),
    (
        re.compile("sasl|authentication|oauthbearer", re.IGNORECASE),
        "Check DRIFTLINE_KAFKA_SASL_MECHANISM, its user and password (or DRIFTLINE_KAFKA_OAUTH_…), and what the"
        " broker's log says of them.",
    ),
    (
        re.compile("ssl|tls|certificate|in state APIVERSION", re.IGNORECASE),
        "Check that DRIFTLINE_KAFKA_SECURITY_PROTOCOL is that of the broker's listener, and for TLS"
        " DRIFTLINE_KAFKA_SSL_CA_FILE and the client certificate.",
    ),
)

QUEUED_BYTES = 32 << 20
"""Fetched ahead at most, but for the last answer of a broker: one message of any size, or 4 MB of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalance:
    """What is called, inside `consume`, when partitions come and go."""

    assigned: Callable[[Sequence[PartitionKey]], None]
    revoked: Callable[[Sequence[PartitionKey]], None]
    lost: Callable[[Sequence[PartitionKey]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """A topic to create."""

    name: str
    partitions: int
    replication: int
    config: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the broker describes it; *topic_id* is empty where the broker knows none."""

    name: str
    topic_id: str
    partitions: int


class Complaints:
    """What one client said of its connections since it was asked last: its `error_cb`, and its logger."""

    def __init__(self) -> None:
        self._words: deque[str] = deque(maxlen=COMPLAINTS_KEPT)

    def __call__(self, error: KafkaError) -> None:
        """Keep the client's words."""
        self._words.append(error.str())

    def log(self, level: int, line: str, *arguments: object) -> None:
        """Keep, as the client's logger, why a connection failed: one that a listener closes is no error for it."""
        written = line % arguments if arguments else line
        if written.startswith("FAIL "):
            self._words.append(written.rpartition("]: ")[2])

    def collected(self) -> tuple[str, ...]:
        """Return the distinct words since the last call, in order."""
        words = tuple(dict.fromkeys(self._words))
        self._words.clear()
        return words


def unavailable(settings: Settings, doing: str, cause: object, complaints: Sequence[str] = ()) -> UnavailableError:
    """Return the error that says what was tried, where, why it failed in the client's words, and what to do.

    Args:
        doing: What was tried.
        cause: Why it failed: for a client often only that it took too long.
        complaints: What the client said of its connections meanwhile.
    """
    reasons = [words for words in complaints if not words.endswith("brokers are down")]
    for words in (*reversed(reasons), str(cause)):
        for pattern, advice in _REFUSALS:
            if pattern.search(words):
                return UnavailableError(
                    f"Kafka: refused at {settings.kafka_bootstrap}, {doing}: {words}\n{advice}", service=Service.KAFKA
                )
    said = f"{cause}; {reasons[-1]}" if reasons and reasons[-1] not in str(cause) else cause
    return UnavailableError(
        f"Kafka: no answer at {settings.kafka_bootstrap}, {doing}: {said}\n"
        "Start it, or point DRIFTLINE_KAFKA_BOOTSTRAP (or kafka_bootstrap in driftline.toml) at a running one.",
        service=Service.KAFKA,
    )


@contextmanager
def named_properties() -> Iterator[None]:
    """Raise `SettingsError` where the client refuses what it is configured with, instead of the client's own error."""
    try:
        yield
    except KafkaException as error:
        if error.args[0].code() != KafkaError._INVALID_ARG:
            raise
        raise SettingsError(
            f"settings: Kafka's client refuses its configuration: {error.args[0].str()}\n"
            "Look at the settings kafka_client, kafka_ssl_… and kafka_sasl_…; docs/operations.md has examples."
        ) from error


def require_usable_client(settings: Settings) -> None:
    """Return when a client can be made of the settings; nobody is connected to.

    Raises:
        SettingsError: It refuses them, in its own words.
    """
    with named_properties():
        Producer(client_settings(settings) | {"bootstrap.servers": ""})


def client_settings(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return what every client of this installation is configured with."""
    values: dict[str, str | int | float | bool | None] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "client.id": "driftline",
        "log_level": 2,  # at 3 a broker that is away gives hundreds of lines; our own errors say it once
        **_tls_settings(settings),
        **_sasl_settings(settings),
    }
    return {name: value for name, value in values.items() if value is not None} | settings.kafka_client


def _tls_settings(settings: Settings) -> dict[str, str | None]:
    if not settings.kafka_security_protocol.endswith("SSL"):
        return {}
    certificate = settings.kafka_ssl_certificate_file
    key = settings.kafka_ssl_key_file or certificate
    return {
        "ssl.ca.location": _text(settings.kafka_ssl_ca_file),
        "ssl.certificate.location": _text(certificate),
        "ssl.key.location": _text(key),
        "ssl.key.password": settings.kafka_ssl_key_password,
    }


def _sasl_settings(settings: Settings) -> dict[str, str | None]:
    if not settings.kafka_security_protocol.startswith("SASL"):
        return {}
    if settings.kafka_sasl_mechanism is SaslMechanism.OAUTHBEARER:
        return {
            "sasl.mechanism": SaslMechanism.OAUTHBEARER.value,
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": settings.kafka_oauth_token_url,
            "sasl.oauthbearer.client.id": settings.kafka_oauth_client_id,
            "sasl.oauthbearer.client.secret": settings.kafka_oauth_client_secret,
            "sasl.oauthbearer.scope": settings.kafka_oauth_scope,
            "https.ca.location": _text(settings.kafka_ssl_ca_file),
        }
    return {
        "sasl.mechanism": settings.kafka_sasl_mechanism and settings.kafka_sasl_mechanism.value,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def consumer_settings(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return what a member of the ingest group is configured with."""
    chosen: dict[str, str | int | float | bool] = {
        "group.id": settings.kafka_group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",  # a position out of range is reported, never silently replaced
        "max.poll.interval.ms": settings.max_poll_interval_ms,
        "fetch.min.bytes": 1,
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": 4 << 20,
        "queued.min.messages": 50_000,
        "queued.max.messages.kbytes": QUEUED_BYTES >> 10,  # bounds the memory of what is fetched ahead
        # A full queue stops fetching for this long; with the default, a second, ingest waited more than it worked.
        "fetch.queue.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 30_000,  # new partitions are found this soon
        "allow.auto.create.topics": False,
        "statistics.interval.ms": 5000,  # says how long brokers have been silent
    }
    if settings.kafka_group_protocol is GroupProtocol.CONSUMER:
        chosen["group.protocol"] = "consumer"  # the broker owns timeouts and assignment
    else:
        chosen["session.timeout.ms"] = settings.session_timeout_ms
        chosen["heartbeat.interval.ms"] = max(1, min(3000, settings.session_timeout_ms // 3))
        chosen["partition.assignment.strategy"] = "cooperative-sticky"
    return client_settings(settings) | chosen | settings.kafka_client
