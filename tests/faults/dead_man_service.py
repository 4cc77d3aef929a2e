"""The other side of a dead-man heartbeat: records who asked when."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class DeadManService:
    """Requests by path, as monotonic seconds; every one is answered with *status*."""

    port: int = 0
    status: int = 200
    requests: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/secret-key/{{role}}"

    def count(self, role: str) -> int:
        return len(self.requests[f"/secret-key/{role}"])

    def alive(self, *roles: str, seconds: float = 120) -> bool:
        """Return whether each of *roles* asks again within *seconds* from now."""
        before, limit = {role: self.count(role) for role in roles}, time.monotonic() + seconds
        while time.monotonic() < limit:
            if all(self.count(role) > before[role] for role in roles):
                return True
            time.sleep(0.05)
        return False

    def silent(self, role: str, *, seconds: float = 3, within: float = 120) -> bool:
        """Return whether *role* falls silent for *seconds*, at the latest after *within*."""
        limit = time.monotonic() + within
        while time.monotonic() < limit:
            before = self.count(role)
            time.sleep(seconds)
            if self.count(role) == before:
                return True
        return False


@contextmanager
def dead_man_service() -> Iterator[DeadManService]:
    """Run one on the loopback interface."""
    service = DeadManService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.requests[self.path].append(time.monotonic())
            self.send_response(service.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep the terminal quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
