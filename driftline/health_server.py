"""/metrics and /healthz of one role."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.metrics import HEALTHY, PROGRESS_AGE_SECONDS


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
        server = ThreadingHTTPServer((host, port), _handler(health, role))
    except OSError as error:
        raise UnavailableError(
            f"/metrics of {role}: cannot listen on {host}:{port}: {error.strerror}\n"
            "Free the port, or set DRIFTLINE_METRICS_PORT to another one (0: no metrics)."
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="observe", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _handler(health: Health, role: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
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
