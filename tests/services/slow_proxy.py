"""A TCP proxy that makes a service look far away: each answer waits, as over a network of 20 to 90 ms."""

import asyncio
import contextlib
import random
import threading
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class SlowProxy:
    """Listens on a free port of the loopback interface and forwards to *port*; each request is delayed.

    Args:
        port: Where the service listens on the loopback interface.
        least_ms, most_ms: Every chunk on its way to the service waits for a random time between them.
    """

    def __init__(self, port: int, *, least_ms: float = 20, most_ms: float = 90, seed: int = 1) -> None:
        self.port = 0
        self._target = port
        self._span = (least_ms / 1000, most_ms / 1000)
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._forward(reader, back, slow=True), self._forward(there, writer, slow=False))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while chunk := await reader.read(CHUNK):
                if slow:
                    await asyncio.sleep(self._chance.uniform(*self._span))
                writer.write(chunk)
                await writer.drain()
        writer.close()
