"""How the alerter's Kafka client, Faust's, proves who it is: the same settings as of ingest's, in its own terms."""

import asyncio
import ssl
from typing import Any

import faust
import httpx2
from aiokafka.abc import AbstractTokenProvider  # type: ignore[import-untyped]  # ships no types

from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.kafka_security import SaslMechanism
from monitor.redaction import shown_web_address
from monitor.settings import Settings
from monitor.types import Service

_TOKEN_SECONDS = 10.0
_REFRESH_SHARE = 0.8  # of a token's life, after which another one is asked for
_LEAST_LIFE_SECONDS = 60.0


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS of a connection to a broker; None where it has none."""
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    ca_file = settings.kafka_ssl_ca_file
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    if settings.kafka_client.get("ssl.endpoint.identification.algorithm") == "none":
        context.check_hostname = False
    if settings.kafka_client.get("enable.ssl.certificate.verification") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if (certificate := settings.kafka_ssl_certificate_file) is not None:
        context.load_cert_chain(certificate, settings.kafka_ssl_key_file, settings.kafka_ssl_key_password)
    return context


def credentials(
    settings: Settings,
) -> faust.SASLCredentials | faust.OAuthCredentials | faust.SSLCredentials | None:
    """Return the credentials of a Faust app; None: none are needed."""
    context = tls_context(settings)
    if not settings.kafka_security_protocol.startswith("SASL"):
        return None if context is None else faust.SSLCredentials(context)
    if settings.kafka_sasl_mechanism is SaslMechanism.OAUTHBEARER:
        return faust.OAuthCredentials(oauth_cb=ClientCredentials(settings), ssl_context=context)
    return faust.SASLCredentials(
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password,
        mechanism=settings.kafka_sasl_mechanism,
        ssl_context=context,
    )


def connection_arguments(settings: Settings) -> dict[str, Any]:
    """Return the same for a client of aiokafka."""
    arguments: dict[str, Any] = {
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = settings.kafka_sasl_mechanism
        if settings.kafka_sasl_mechanism is SaslMechanism.OAUTHBEARER:
            arguments["sasl_oauth_token_provider"] = ClientCredentials(settings)
        else:
            arguments["sasl_plain_username"] = settings.kafka_sasl_username
            arguments["sasl_plain_password"] = settings.kafka_sasl_password
    return arguments


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens of the client credentials grant (RFC 6749, 4.4), asked for again before the last one expires."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._refresh_at = 0.0

    async def token(self) -> str:
        """Return a token.

        Raises:
            UnavailableError: The identity provider refuses or does not answer.
        """
        if monotonic_seconds() >= self._refresh_at:
            self._token, life_seconds = await asyncio.to_thread(self._ask)
            self._refresh_at = monotonic_seconds() + _REFRESH_SHARE * life_seconds
        return self._token

    def _ask(self) -> tuple[str, float]:
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        if settings.kafka_oauth_scope:
            form["scope"] = settings.kafka_oauth_scope
        ca_file = settings.kafka_ssl_ca_file
        verify = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        client = (settings.kafka_oauth_client_id or "", settings.kafka_oauth_client_secret or "")
        place = shown_web_address(settings.kafka_oauth_token_url or "")
        try:
            answer = httpx2.post(
                settings.kafka_oauth_token_url or "",
                data=form,
                auth=client,
                timeout=_TOKEN_SECONDS,
                verify=verify,
                follow_redirects=False,
            )
            answer.raise_for_status()
            document = answer.json()
            return str(document["access_token"]), float(document.get("expires_in", _LEAST_LIFE_SECONDS))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = f"HTTP {error.response.status_code}" if isinstance(error, httpx2.HTTPStatusError) else repr(error)
            raise UnavailableError(f"no token of {place}: {why}", service=Service.KAFKA) from error
        except (ValueError, KeyError, TypeError) as error:
            raise UnavailableError(f"no token of {place}: it answers no access_token", service=Service.KAFKA) from error
