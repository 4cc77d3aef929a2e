"""Every way of proving to a real broker who we are, by each of our clients, and what is said where it fails."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerting.faust_listener import Listener, why_unavailable
from consumers.kafka import admin
from consumers.kafka.admin import create_topics
from consumers.kafka.consumer import InputConsumer
from consumers.kafka.producer import TopicProducer
from consumers.kafka.settings import Rebalance, TopicPlan
from consumers.kafka.topics import require_topics
from driftline.cli.exit_codes import ExitCode
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.settings import Settings, load_settings
from monitor.types import PartitionKey
from tests.services.certificates import Authority
from tests.services.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka, token_endpoint
from tests.services.waiting import wait_until
from tests.unit.cli.test_exits import run as run_command

NOBODY = Rebalance(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None)
CLIENT_SECRET = "a secret of the client"
TOPICS = ("predictions", "ground-truth", "deployments", "driftline.wakeups")
WAYS = ("TLS", "MTLS", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def secured(service_directory: Path) -> Iterator[SecuredKafka]:
    with secured_kafka(service_directory / "secured") as kafka:
        for name in TOPICS:
            kafka.broker.create_topic(name)
        yield kafka


@pytest.fixture(scope="module")
def token_url() -> Iterator[str]:
    with token_endpoint(client_id=USER, client_secret=CLIENT_SECRET) as url:
        yield url


def settings_of(way: str, secured: SecuredKafka, token_url: str, **changes: Any) -> Settings:
    """Return the settings by which a client comes in that *way*."""
    authority: dict[str, Any] = {"kafka_ssl_ca_file": secured.ca_file}
    match way:
        case "TLS":
            chosen = {"kafka_bootstrap": secured.addresses["TLS"], "kafka_security_protocol": "SSL", **authority}
        case "MTLS":
            chosen = {
                "kafka_bootstrap": secured.addresses["MTLS"],
                "kafka_security_protocol": "SSL",
                "kafka_ssl_certificate_file": secured.client.certificate,
                "kafka_ssl_key_file": secured.client.key,
                **authority,
            }
        case "OAUTHBEARER":
            chosen = {
                "kafka_bootstrap": secured.addresses["OAUTH"],
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_mechanism": "OAUTHBEARER",
                "kafka_oauth_token_url": token_url,
                "kafka_oauth_client_id": USER,
                "kafka_oauth_client_secret": CLIENT_SECRET,
            }
        case mechanism:
            chosen = {
                "kafka_bootstrap": secured.addresses["SASLTLS"],
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": mechanism,
                "kafka_sasl_username": USER,
                "kafka_sasl_password": PASSWORD,
                **authority,
            }
    return load_settings(**{**chosen, "kafka_client": {"client.rack": "eu-central-1a"}, **changes})


@pytest.mark.parametrize("way", WAYS)
def test_each_client_comes_in(way: str, secured: SecuredKafka, token_url: str) -> None:
    """Topics are described and created, a record is written and read back."""
    settings = settings_of(way, secured, token_url)
    require_topics(settings)
    topic = f"made-{way.lower()}"
    assert create_topics(settings, [TopicPlan(name=topic, partitions=1, replication=1)]) == {topic: True}
    producer = TopicProducer(settings)
    key = PartitionKey(topic, 0)

    def written() -> bool:
        producer.send(topic, value=b"seen")
        return producer.flush(10) == 0 and key in producer.ends

    wait_until(written, "the record to be written")
    consumer = InputConsumer(settings, NOBODY)
    values: list[bytes | None] = []

    def read() -> bool:
        values.extend(record.value() for record in consumer.consume(10, timeout_seconds=0.5).records)
        return bool(values)

    try:
        consumer.read_from({key: 0})
        wait_until(read, "the record to be read")
    finally:
        consumer.close()
    assert values[0] == b"seen"


def refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the message of a role that waits for Kafka with these *settings*."""
    monkeypatch.setattr(admin, "ANSWER_SECONDS", 4.0)
    with pytest.raises(UnavailableError) as caught:
        require_topics(settings)
    return str(caught.value)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_named(
    mechanism: str, secured: SecuredKafka, token_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not "no answer, start it": the broker answered; and the password is not in the message."""
    said = refused(settings_of(mechanism, secured, token_url, kafka_sasl_password="hunter2"), monkeypatch)
    assert "refused" in said
    assert "Authentication failed" in said
    assert "DRIFTLINE_KAFKA_SASL_MECHANISM" in said
    assert "hunter2" not in said
    assert "Start it" not in said


def test_a_token_that_is_not_given_is_named(
    secured: SecuredKafka, token_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity provider's refusal, not the broker's silence."""
    settings = settings_of("OAUTHBEARER", secured, token_url, kafka_oauth_client_secret="hunter2")
    said = refused(settings, monkeypatch)
    assert "no such client" in said or "401" in said or "token" in said
    assert "DRIFTLINE_KAFKA_OAUTH_" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("listener", "protocol", "words"),
    [
        ("PLAINTEXT", "SSL", "SSL connection closed"),
        ("TLS", "PLAINTEXT", "Disconnected: "),
        ("MTLS", "SSL", "certificate"),
    ],
)
def test_another_protocol_than_the_listener_s_is_named(
    listener: str,
    protocol: str,
    words: str,
    secured: SecuredKafka,
    token_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TLS against plaintext, plaintext against TLS, no certificate where one is required: the client's own words."""
    changes: dict[str, Any] = {"kafka_bootstrap": secured.addresses[listener], "kafka_security_protocol": protocol}
    if protocol == "PLAINTEXT":
        changes["kafka_ssl_ca_file"] = None
    said = refused(settings_of("TLS", secured, token_url, **changes), monkeypatch)
    assert words in said
    assert "DRIFTLINE_KAFKA_SECURITY_PROTOCOL" in said
    assert "Start it" not in said


def test_a_broker_of_another_authority_is_not_trusted(
    secured: SecuredKafka, token_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine between us and the broker can show a certificate, too."""
    other = Authority(tmp_path, "another").file
    said = refused(settings_of("TLS", secured, token_url, kafka_ssl_ca_file=other), monkeypatch)
    assert "certificate verify failed" in said or "certificate" in said
    assert "DRIFTLINE_KAFKA_SSL_CA_FILE" in said


def test_a_broker_that_is_away_is_still_to_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old message where it is right, with the reason behind it."""
    said = refused(load_settings(kafka_bootstrap="127.0.0.1:1"), monkeypatch)
    assert "no answer at 127.0.0.1:1" in said
    assert "Connection refused" in said
    assert "Start it" in said


@pytest.mark.parametrize("way", WAYS)
def test_the_alerter_s_client_comes_in(way: str, secured: SecuredKafka, token_url: str) -> None:
    """Faust's client is another one: a wake-up that ingest's producer sends reaches it."""
    settings = settings_of(way, secured, token_url)
    names: list[str] = []
    failures: list[str] = []
    producer = TopicProducer(settings)

    def woken() -> bool:
        producer.send(settings.wakeups_topic, value=b"{}", key=way.encode())
        producer.flush(5)
        return way in names or bool(failures)

    with Listener(settings, wake=names.append, on_failure=failures.append, health=Health()):
        wait_until(woken, "a wake-up")
    assert not failures


@pytest.mark.parametrize(
    ("way", "changes", "words"),
    [
        ("PLAIN", {"kafka_sasl_password": "hunter2"}, "Authentication failed"),
        ("SCRAM-SHA-256", {"kafka_sasl_password": "hunter2"}, "Authentication failed"),
        ("TLS", {"kafka_ssl_ca_file": None}, "certificate verify failed"),
        ("OAUTHBEARER", {"kafka_oauth_client_secret": "hunter2"}, "HTTP 401"),
    ],
)
def test_the_alerter_says_why_its_client_is_refused(
    way: str, changes: dict[str, Any], words: str, secured: SecuredKafka, token_url: str
) -> None:
    """In the client's own words, not as "no answer"; models are looked at by sweeps meanwhile."""
    reason = asyncio.run(why_unavailable(settings_of(way, secured, token_url, **changes)))
    assert reason is not None
    assert words in reason
    assert "hunter2" not in reason


def test_up_ends_at_once_with_what_no_client_can_be_made_of(tmp_path: Path) -> None:
    """No such property, no such mechanism, a file that holds no certificate: exit code 2 without a loop."""
    (tmp_path / "ca.pem").write_text("no certificate")
    for changes, words in (
        ({"DRIFTLINE_KAFKA_CLIENT": '{"no.such.property": "1"}'}, 'No such configuration property: "no.such.property"'),
        (
            {"DRIFTLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "DRIFTLINE_KAFKA_SASL_MECHANISM": "KERBEROS"},
            "SCRAM-SHA-512",
        ),
        ({"DRIFTLINE_KAFKA_SECURITY_PROTOCOL": "SSL", "DRIFTLINE_KAFKA_SSL_CA_FILE": "ca.pem"}, "ssl.ca.location"),
    ):
        for command in (("up",), ("ingest",), ("topics", "create")):
            done = run_command(*command, directory=tmp_path, **changes)
            assert done.returncode == ExitCode.WRONG_USE, (command, done.stderr)
            assert words in done.stderr
            assert "Traceback" not in done.stderr
