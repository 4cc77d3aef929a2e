"""A real broker with a listener for each way in which a client may have to prove who it is."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.services.certificates import Authority, Certificate
from tests.services.kafka import KafkaBroker
from tests.services.processes import free_port

USER, PASSWORD = "driftline", "a secret of the broker"
_MODULES = "org.apache.kafka.common.security"
_LISTENERS = {"PLAINTEXT": "PLAINTEXT", "TLS": "SSL", "MTLS": "SSL", "SASLTLS": "SASL_SSL", "OAUTH": "SASL_PLAINTEXT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    """The broker's addresses by listener, and what a client needs for them."""

    broker: KafkaBroker
    addresses: Mapping[str, str]
    ca_file: Path
    client: Certificate


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    """Run the broker; USER may come in by SCRAM and PLAIN, every client with a token by OAUTHBEARER."""
    authority = Authority(directory / "certificates")
    server = authority.issue("broker")
    ports = {name: free_port() for name in (*_LISTENERS, "CONTROLLER")}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    jaas = "listener.name.{}.sasl.jaas.config"
    overrides = {
        "listeners": ",".join(f"{name}://{address}" for name, address in addresses.items()),
        "advertised.listeners": ",".join(f"{name}://{addresses[name]}" for name in _LISTENERS),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in {**_LISTENERS, "CONTROLLER": "PLAINTEXT"}.items()
        ),
        "controller.quorum.voters": f"1@{addresses['CONTROLLER']}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.sasltls.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        jaas.format("sasltls.plain"): f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        jaas.format("sasltls.scram-sha-256"): f"{_MODULES}.scram.ScramLoginModule required;",
        jaas.format("sasltls.scram-sha-512"): f"{_MODULES}.scram.ScramLoginModule required;",
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        jaas.format("oauth.oauthbearer"): (
            f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        ),
    }
    with KafkaBroker(directory / "kafka", port=ports["PLAINTEXT"], overrides=overrides) as broker:
        _add_scram_user(broker.bootstrap)
        yield SecuredKafka(broker=broker, addresses=addresses, ca_file=authority.file, client=authority.issue("client"))


def _add_scram_user(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    changes = [
        UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
    ]
    for change in changes:
        admin.alter_user_scram_credentials([change])[USER].result(30)


@contextmanager
def token_endpoint(*, client_id: str, client_secret: str) -> Iterator[str]:
    """Give the address of a server that hands out unsigned tokens for the secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            given = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
            if self.headers.get("authorization") != f"Basic {given}" or form["grant_type"] != ["client_credentials"]:
                self._answer(401, {"error": "invalid_client", "error_description": "no such client, or another secret"})
                return
            now = int(time.time())
            claims = {"sub": client_id, "iat": now, "exp": now + 300, "scope": form.get("scope", [""])[0]}
            token = ".".join((_encoded({"alg": "none"}), _encoded(claims), ""))
            self._answer(200, {"access_token": token, "token_type": "bearer", "expires_in": 300})

        def _answer(self, status: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
    finally:
        server.shutdown()
        server.server_close()


def _encoded(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
