"""How Kafka's clients prove who they are and know the brokers; checked once, for both clients that we use."""

from collections.abc import Mapping
from enum import StrEnum


class SaslMechanism(StrEnum):
    """How a client proves who it is, in Kafka's own names; those that both of our clients know."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


# What a property of librdkafka is called as a setting of ours, which every client knows.
_SETTING_OF = {
    "bootstrap.servers": "kafka_bootstrap",
    "metadata.broker.list": "kafka_bootstrap",
    "security.protocol": "kafka_security_protocol",
    "group.id": "kafka_group",
    "group.protocol": "kafka_group_protocol",
    "ssl.ca.location": "kafka_ssl_ca_file",
    "ssl.ca.pem": "kafka_ssl_ca_file",
    "ssl.certificate.location": "kafka_ssl_certificate_file",
    "ssl.certificate.pem": "kafka_ssl_certificate_file",
    "ssl.key.location": "kafka_ssl_key_file",
    "ssl.key.pem": "kafka_ssl_key_file",
    "ssl.key.password": "kafka_ssl_key_password",
    "sasl.mechanism": "kafka_sasl_mechanism",
    "sasl.mechanisms": "kafka_sasl_mechanism",
    "sasl.username": "kafka_sasl_username",
    "sasl.password": "kafka_sasl_password",
    "sasl.oauthbearer.token.endpoint.url": "kafka_oauth_token_url",
    "sasl.oauthbearer.client.id": "kafka_oauth_client_id",
    "sasl.oauthbearer.client.secret": "kafka_oauth_client_secret",
    "sasl.oauthbearer.scope": "kafka_oauth_scope",
    "session.timeout.ms": "session_timeout_ms",
    "max.poll.interval.ms": "max_poll_interval_ms",
}
# On these rests that each record is counted once.
_OURS = frozenset(
    {
        "acks",
        "allow.auto.create.topics",
        "auto.offset.reset",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "isolation.level",
        "partition.assignment.strategy",
        "request.required.acks",
        "statistics.interval.ms",
        "transactional.id",
    }
)


def security_problems(
    *,
    protocol: str,
    mechanism: SaslMechanism | None,
    credentials: Mapping[str, object],
    properties: Mapping[str, str],
) -> tuple[str, ...]:
    """Return what is missing or contradicts itself, by the names of the settings; values are not in it.

    Args:
        protocol: The setting `kafka_security_protocol`.
        mechanism: The setting `kafka_sasl_mechanism`.
        credentials: The settings that name users, secrets and files of certificates, None where one is not set.
        properties: The setting `kafka_client`.
    """
    problems = [
        f"kafka_client: {name}: expected a property that has no setting of its own; set {setting} instead"
        for name in properties
        if (setting := _SETTING_OF.get(name))
    ]
    problems += [
        f"kafka_client: {name}: expected a property that may be changed; that each event counts once rests on this one"
        for name in properties
        if name in _OURS
    ]
    by_sasl = protocol.startswith("SASL")
    if by_sasl and mechanism is None:
        expected = ", ".join(SaslMechanism)
        problems.append(f"kafka_sasl_mechanism: expected one of {expected} with {protocol}, found none")
    elif by_sasl:
        needed = _needed(mechanism)
        missing = [name for name in needed if not credentials[name]]
        if missing:
            problems.append(f"kafka_sasl_mechanism {mechanism}: expected {' and '.join(needed)}, found no {missing[0]}")
    if credentials["kafka_ssl_key_file"] and not credentials["kafka_ssl_certificate_file"]:
        problems.append("kafka_ssl_key_file: expected kafka_ssl_certificate_file with it, found none")
    in_vain = [name for name in credentials if name.startswith("kafka_ssl") and credentials[name]]
    if in_vain and not protocol.endswith("SSL"):
        problems.append(f"{in_vain[0]}: expected kafka_security_protocol SSL or SASL_SSL with it, found {protocol}")
    return tuple(problems)


def _needed(mechanism: SaslMechanism | None) -> tuple[str, ...]:
    if mechanism is SaslMechanism.OAUTHBEARER:
        return ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret")
    return ("kafka_sasl_username", "kafka_sasl_password")
