"""/metrics and /healthz of one role; connections that ask for nothing are cut, so that they cost no threads."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.metrics import HEALTHY, PROGRESS_AGE_SECONDS

CONNECTIONS = 32
SILENCE_SECONDS = 10.0

log = structlog.get_logger()


@contextmanager
def serve_health(health: Health, *, role: str, host: str, port: int) -> Iterator[int]:
    """Serve /metrics and /healthz on *host*:*port* meanwhile; port 0 serves nothing. Yields the port.

    Raises:
        UnavailableError: The port is taken.
    """
    HEALTHY.set_function(lambda: float(health.reason is None))
    if port == 0:
        yield 0
        return
    try:
        server = _BoundedServer((host, port), _handler(health, role))
    except OSError as error:
        raise UnavailableError(
            f"/metrics of {role}: cannot listen on {host}:{port}: {error.strerror}\n"
            "Free the port, or set DRIFTLINE_METRICS_PORT to another one (0: no metrics)."
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="observe", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _BoundedServer(ThreadingHTTPServer):
    """A thread per connection, for so many at once; one more closes the oldest, which has had its time to ask."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # with the default, 5, a scrape behind a few others waits for seconds to be let in

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # in order of arrival
        super().__init__(address, handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open[request] = None
            if len(self._open) > CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):  # it is closed
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("health.connection_broke", client=str(client_address), exc_info=True)


def _handler(health: Health, role: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                for loop, seconds in health.ages.items():
                    PROGRESS_AGE_SECONDS.labels(loop).set(seconds)
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif path == "/healthz":
                reason = health.reason
                body = {
                    "role": role,
                    "status": "unhealthy" if reason else "ok",
                    "reason": reason,
                    "notices": health.notices,
                    "seconds_since": {loop: round(seconds, 1) for loop, seconds in health.ages.items()},
                }
                self._answer(503 if reason else 200, "application/json", json.dumps(body).encode())
            else:
                self._answer(404, "text/plain", b"here are /metrics and /healthz\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            pass  # a line per scrape helps nobody

    return Handler
