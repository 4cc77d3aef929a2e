"""A role's dead-man heartbeat: pings a URL periodically while its work advances; its absence is the alarm."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import structlog

from monitor.clock import monotonic_seconds

_LOOK_SECONDS = 1.0
_TIMEOUT_SECONDS = 10.0

log = structlog.get_logger()


@contextmanager
def dead_man(url: str | None, *, role: str, every_seconds: float, problem: Callable[[], str | None]) -> Iterator[None]:
    """Ask for *url* every *every_seconds* meanwhile, as long as there is no problem; None does nothing.

    The other side detects that the requests stay away, whatever the cause: the process is dead, frozen,
    cut off, or alive without getting on. That is why nothing is sent while there is a problem, and no word at the end.

    Args:
        url: Holds `{role}`, which becomes *role*.
        problem: Says why the role does not get on, None while it does; asked from another thread.
    """
    if url is None:
        yield
        return
    stop = threading.Event()
    heartbeat = _Heartbeat(url.replace("{role}", role), every_seconds=every_seconds, problem=problem)
    thread = threading.Thread(target=heartbeat.run, args=(stop,), name="dead-man", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # a request under way is not waited for: the role's end must not depend on the other side


class _Heartbeat:
    """Sends while it may; logs each change between sending, withholding and failing once."""

    def __init__(self, url: str, *, every_seconds: float, problem: Callable[[], str | None]) -> None:
        self._url = url
        self._every_seconds = every_seconds
        self._problem = problem
        self._state = ""

    def run(self, stop: threading.Event) -> None:
        """Send until *stop*."""
        due = monotonic_seconds()
        with httpx2.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False) as client:
            while not stop.wait(min(_LOOK_SECONDS, self._every_seconds)):
                if reason := self._problem():
                    self._become("withheld", reason=reason)
                    due = monotonic_seconds()  # at once when it is well again
                elif monotonic_seconds() >= due:
                    due = monotonic_seconds() + self._every_seconds
                    self._send(client)

    def _send(self, client: httpx2.Client) -> None:
        try:
            answer = client.get(self._url)
        except httpx2.HTTPError as error:
            self._become("failed", reason=repr(error))
            return
        if answer.is_success:
            self._become("sent")
        else:
            self._become("failed", reason=f"expected a status of 2xx, found {answer.status_code}")

    def _become(self, state: str, **why: str) -> None:
        if state == self._state:
            return
        self._state = state
        # the address is a secret of many such services: its host must do
        write = log.info if state == "sent" else log.warning
        write(f"heartbeat.{state}", host=httpx2.URL(self._url).host, **why)
