"""A real HTTP receiver in a thread that records what it gets, verifies signatures, and answers as a script says."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from tests.services.certificates import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one request gets: *status* after *delay_seconds*; status None never answers."""

    status: int | None = 200
    delay_seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request: *verified* is whether its signature held, *at* the monotonic second it came."""

    path: str
    identifier: str
    idempotency_key: str
    timestamp: int
    verified: bool
    body: bytes
    at: float

    @property
    def content(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])


@dataclass(slots=True)
class Receiver:
    """Records requests; answers by its script, the last answer for ever."""

    secret: bytes
    script: list[Answer]
    requests: list[Received] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    @property
    def identifiers(self) -> set[str]:
        return {request.identifier for request in self.requests}

    def answer(self, received: Received) -> Answer:
        """Record one request and return what it gets."""
        with self.lock:
            self.requests.append(received)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def wait_for(self, condition: Callable[["Receiver"], bool], *, seconds: float = 20.0) -> None:
        """Return when *condition* holds, or fail with what was received."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition(self):
                return
            time.sleep(0.02)
        raise AssertionError(f"the receiver waited {seconds} s in vain; it got {self.requests}")


@contextmanager
def receiver(secret: bytes, *script: Answer, tls: Certificate | None = None) -> Iterator[Receiver]:
    """Give a running receiver that answers *script* in order, by default 200; with TLS where it has a certificate."""
    state = Receiver(secret, list(script) or [Answer()], scheme="https" if tls else "http")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()  # those who never answer end now
        server.shutdown()
        server.server_close()
        thread.join(10)


def _handler(state: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = state.answer(_received(self.path, dict(self.headers.items()), body, state.secret))
            if answer.status is None:
                state.released.wait(60)
                return
            if answer.delay_seconds:
                state.released.wait(answer.delay_seconds)
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                pass  # the sender hung up before the late answer: what the script wants

        def log_message(self, *arguments: object) -> None:
            """Keep the terminal quiet."""

    return Handler


def _received(path: str, headers: dict[str, str], body: bytes, secret: bytes) -> Received:
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        Webhook(secret).verify(body, lower)
        verified = True
    except WebhookVerificationError:
        verified = False
    return Received(
        path=path,
        identifier=lower.get("webhook-id", ""),
        idempotency_key=lower.get("idempotency-key", ""),
        timestamp=int(lower.get("webhook-timestamp", "0")),
        verified=verified,
        body=body,
        at=time.monotonic(),
    )
