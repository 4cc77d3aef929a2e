"""A real HTTP receiver: verifies each delivery's signature with a published library, and remembers it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

from monitor.types import ActionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One attempt that arrived.

    Attributes:
        verified: Its signature is right; nothing else is believed otherwise.
        incidents, columns: Ids of the incidents and names of the columns that the body speaks of.
        from_version, to_version: Of a rollback request.
        actions: Ids of the actions that a notification names.
        to_approve: Those among them that people are asked to decide about, in words.
        window_end: End of the window it was decided on, as written in the body.
    """

    id: str
    type: str
    verified: bool
    sentence: str
    window_end: str
    incidents: tuple[str, ...]
    columns: tuple[str, ...]
    from_version: str | None = None
    to_version: str | None = None
    actions: tuple[str, ...] = ()
    to_approve: tuple[str, ...] = ()


class Receiver:
    """What arrived so far, in order."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._deliveries: list[Arrival] = []
        self.url = ""

    @property
    def deliveries(self) -> tuple[Arrival, ...]:
        with self._lock:
            return tuple(self._deliveries)

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Verify and remember one attempt; return whether its signature is right."""
        try:
            Webhook(self._secret).verify(body, headers)
            verified = True
        except WebhookVerificationError:
            verified = False
        delivery = read_delivery(headers.get("webhook-id", ""), body, verified=verified)
        with self._lock:
            self._deliveries.append(delivery)
        return verified


def read_delivery(identifier: str, body: bytes, *, verified: bool) -> Arrival:
    """Return what the story needs of a notification's or a request's body."""
    document = json.loads(body) if verified else {}
    incidents, actions = document.get("incidents", []), document.get("actions", [])
    reason = document.get("reason") or {}
    asked = [document["incident_id"]] if "incident_id" in document else []
    columns = [finding["column"] for incident in incidents for finding in incident["what"]] + list(
        reason.get("columns", ())
    )
    return Arrival(
        id=identifier,
        type=document.get("type", ""),
        verified=verified,
        sentence=document.get("sentence") or reason.get("sentence", ""),
        window_end=document.get("window_end") or (reason.get("window") or ("", ""))[1],
        incidents=tuple([line["id"] for line in incidents] + asked),
        columns=tuple(dict.fromkeys(column for column in columns if column)),
        from_version=document.get("from_version"),
        to_version=document.get("to_version"),
        actions=tuple(action["id"] for action in actions),
        to_approve=tuple(
            f"the {action['kind']} of {action['from_version']}"
            for action in actions
            if action["state"] == ActionState.AWAITING_APPROVAL
        ),
    )


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """Listen on a free port of the loopback interface meanwhile."""
    receiver = Receiver(secret)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            accepted = receiver.take(headers, body)
            self.send_response(200 if accepted else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            pass  # the story shows what arrived

    return Handler
