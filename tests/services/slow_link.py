"""A TCP relay that holds every answer back for some milliseconds, as a server in another zone would."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.services.processes import end, free_port, spawn

CHUNK = 1 << 16


@contextmanager
def slow_link(target_port: int, *, milliseconds: int, log: Path) -> Iterator[int]:
    """Give the loopback port of a relay to *target_port*; it outlives restarts of the target."""
    port = free_port()
    command = [sys.executable, "-m", "tests.services.slow_link", str(port), str(target_port), str(milliseconds)]
    process = spawn(command, log=log)
    try:
        yield port
    finally:
        end(process, by=signal.SIGTERM, timeout_seconds=10)


async def _serve(port: int, target_port: int, milliseconds: int) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, requests, 0), _copy(answers, writer, milliseconds / 1000))

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    await server.serve_forever()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay_seconds: float) -> None:
    with suppress(OSError):
        while content := await source.read(CHUNK):
            await asyncio.sleep(delay_seconds)
            target.write(content)
            await target.drain()
    with suppress(OSError):
        target.close()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
