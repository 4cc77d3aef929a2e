"""Listens for wake-ups from Kafka through Faust, in a thread of its own; losing one is harmless."""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import faust
import structlog
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]  # ships no types
from aiokafka.conn import create_conn  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.threads import ServiceThread, WorkerThread

from alerting.kafka_credentials import connection_arguments, credentials
from monitor.backoff import Backoff
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.types import Service

log = structlog.get_logger()

Wake = Callable[[str], None]
BACKOFF = Backoff(first_seconds=1.0, longest_seconds=10.0)
WATCH_SECONDS = 10.0
STOP_SECONDS = 3.0

JOIN_SECONDS = 5.0
PROBE_MILLIS = 5000


# A broker that is away makes it log hundreds of lines a second; `listen` logs it once.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
# Its timers log each time they are late, as they are while a broker is away; an error still gets its line.
logging.getLogger("mode").setLevel(logging.ERROR)


class AbandonableThread(WorkerThread):
    """Faust's consumer thread as a daemon: it never ends while it tries to leave the group of a broker that is away."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.daemon = True


def _log_crash(thread: ServiceThread, message: str, *of_message: Any, **_: Any) -> None:
    log.error("wakeups.thread_crashed", thread=message.format(*of_message), exc_info=True)


AIOKafkaConsumerThread.Worker = AbandonableThread
# Its own prints to stderr, over many lines.
AIOKafkaConsumerThread.on_crash = _log_crash  # type: ignore[method-assign, assignment]


def consumer_group(settings: Settings) -> str:
    """Return the alerters' group: `driftline-alerter`, or the like of a renamed ingest group."""
    return f"{settings.kafka_group.removesuffix('-ingest')}-alerter"


def wakeup_app(settings: Settings, *, wake: Wake, directory: str) -> faust.App:
    """Return the Faust app: one agent on the wake-ups, no tables, no web; *directory* holds its (empty) state."""
    app = faust.App(
        consumer_group(settings),
        broker=[f"kafka://{part.strip()}" for part in settings.kafka_bootstrap.split(",")],
        broker_credentials=credentials(settings),
        consumer_auto_offset_reset="latest",  # what lies further back is up to the sweep
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        datadir=directory,
    )
    topic = app.topic(settings.wakeups_topic, key_serializer="raw", value_serializer="raw", allow_empty=True)

    async def look_at_model(stream: Any) -> None:
        async for key, _ in stream.items():
            if key:
                wake(bytes(key).decode(errors="replace"))

    app.agent(topic, name="look_at_model", concurrency=1)(look_at_model)
    return app


async def why_unavailable(settings: Settings) -> str | None:
    """Return why wake-ups cannot be listened to, None where the broker answers and has their topic."""
    client: AIOKafkaClient | None = None
    try:
        arguments = connection_arguments(settings)
        servers = [part.strip() for part in settings.kafka_bootstrap.split(",")]
        client = AIOKafkaClient(bootstrap_servers=servers, request_timeout_ms=PROBE_MILLIS, **arguments)
        await _bootstrap(client, arguments)
        metadata = await client.fetch_all_metadata()
        return None if settings.wakeups_topic in metadata.topics() else "no such topic"
    except (KafkaError, OSError, TimeoutError, UnavailableError) as error:
        return str(error) or repr(error)
    finally:
        if client is not None:
            await client.close()


async def _bootstrap(client: AIOKafkaClient, arguments: dict[str, Any]) -> None:
    try:
        await client.bootstrap()
    except KafkaError:
        # The client logs why it could not connect and says "unable to bootstrap"; a single connection says it.
        for host, port, _ in client.hosts:
            connection = await create_conn(host, port, request_timeout_ms=PROBE_MILLIS, **arguments)
            connection.close()
        raise


async def listen(settings: Settings, *, wake: Wake, directory: str, health: Health) -> None:
    """Listen until cancelled; without a broker or topic, or after a crash of the app, try again with back-off."""
    failures = 0
    while True:
        if not await _available(settings, health):
            failures += 1
            await asyncio.sleep(BACKOFF.wait_seconds(failures))
            continue
        app = wakeup_app(settings, wake=wake, directory=directory)
        try:
            await app.start()
            log.info("wakeups.started", topic=settings.wakeups_topic, group=consumer_group(settings))
            failures = 0
            while not await _ended(app):
                await _available(settings, health)
            _away(settings, health, f"the listener crashed: {app.crash_reason!r}")
        except (KafkaError, UnavailableError) as error:
            _away(settings, health, repr(error))
        finally:
            await _stopped(app)
        await asyncio.sleep(BACKOFF.first_seconds)


async def _available(settings: Settings, health: Health) -> bool:
    reason = await why_unavailable(settings)
    if reason is None:
        health.back(Service.KAFKA)
        return True
    _away(settings, health, reason)
    return False


def _away(settings: Settings, health: Health, reason: str) -> None:
    sentence = f"Kafka at {settings.kafka_bootstrap}, listening to {settings.wakeups_topic}: {reason}"
    health.away(Service.KAFKA, f"{sentence}; models are looked at every {settings.sweep_seconds:g} s", degrades=False)


async def _ended(app: faust.App) -> bool:
    """Return whether the app stopped or crashed within a while; otherwise it goes on, through broker restarts too."""
    try:
        await asyncio.wait_for(app.wait_until_stopped(), timeout=WATCH_SECONDS)
    except TimeoutError:
        return False
    return True


async def _stopped(app: faust.App) -> None:
    try:
        await asyncio.wait_for(app.stop(), timeout=STOP_SECONDS)
    except TimeoutError:
        log.warning("wakeups.stop_timed_out")


class Listener:
    """Calls *wake* with each model's name, from another thread, until the end of the `with` block.

    Args:
        on_failure: Called when listening ended by an error nobody foresaw.
        health: Shows whether wake-ups come; sweeps do the same work, later.
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
            # The top of this thread: what ends it must end the process, or the alerter would silently stop listening.
            log.exception("wakeups.failed")
            self._on_failure(repr(error))
        finally:
            self._started.set()  # it may have failed before it began: nobody waits for it any more

    async def _listen(self, directory: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._started.set()
        await listen(self._settings, wake=self._wake, directory=directory, health=self._health)
