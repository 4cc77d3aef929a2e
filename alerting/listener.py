"""The one asynchronous part in a thread of its own: the Faust app that hears wake-ups."""

import asyncio
import tempfile
import threading
from types import TracebackType
from typing import Self

import structlog

from alerting.wakeups import Wake, listen
from monitor.health import Health
from monitor.settings import Settings

log = structlog.get_logger()

JOIN_SECONDS = 5.0


class Listener:
    """Calls *wake* with each model's name, from another thread, until the end of the `with` block.

    Args:
        on_failure: Called when listening ended by an error nobody foresaw.
        health: Told when wake-ups do not come and when they do; sweeps find the same, later.
    """

    def __init__(self, settings: Settings, *, wake: Wake, on_failure: Wake, health: Health) -> None:
        self._settings = settings
        self._wake = wake
        self._on_failure = on_failure
        self._health = health
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        # A daemon, as is Faust's own: leaving the group of a broker that is away would hold up the exit for ever.
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(JOIN_SECONDS)
        if self._thread.is_alive():
            log.warning("wakeups.left_behind")

    def _run(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="driftline-alerter-") as directory:
                asyncio.run(self._listen(directory))
        except asyncio.CancelledError:
            return
        except Exception as error:
            # The top of this thread: what ends it must end the process, or the alerter would go deaf in silence.
            log.exception("wakeups.failed")
            self._on_failure(repr(error))
        finally:
            self._started.set()  # it may have failed before it began, and whoever waits for it must see that

    async def _listen(self, directory: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._started.set()
        await listen(self._settings, wake=self._wake, directory=directory, health=self._health)
