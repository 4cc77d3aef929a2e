"""A TCP proxy in this process that cuts, delays or swallows what goes through it, for one server at a time."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 1 << 16
Watch = Callable[[bytes], bool]


class TcpProxy:
    """Listens on a loopback port of its own and hands every connection on to *target*, until the `with` block ends.

    `cut` resets what is open; while `blackholed`, bytes are read and thrown away and both sides stay connected, as
    behind a firewall that forgot them; `refuse` lets nobody in; `delay_seconds` holds every chunk back. `cut_after`
    resets a connection once bytes for which the watch answers True went to the server, before any answer comes back.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay_seconds = 0.0
        self.blackholed = False
        self.refuse = False
        self.cuts = 0
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="tcp-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        # wakes `accept`, which closing alone does not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._lock:
            return len(self._pairs)

    def cut(self) -> None:
        """Reset every open connection, on both sides."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _reset(pair)

    def cut_after(self, watch: Watch | None) -> None:
        """Reset the next connection whose client sends bytes for which *watch* is True, after the server has them."""
        self._watch = watch

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                self._pairs.append(pair)
            for source, sink in (pair, pair[::-1]):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                arguments = (pair, source, sink, sink is server)
                threading.Thread(target=self._hand_on, args=arguments, name="tcp-proxy", daemon=True).start()

    def _hand_on(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, sink: socket.socket, to_server: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                if self.blackholed:
                    continue
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                watch = self._watch
                if to_server and watch is not None and watch(chunk):
                    self._watch = None
                    self._send_unanswered(pair, chunk)
                    return
                sink.sendall(chunk)
        if not self.blackholed:
            self._forget(pair)
            _close(pair)

    def _send_unanswered(self, pair: tuple[socket.socket, socket.socket], chunk: bytes) -> None:
        """Give the server *chunk*, and the client a reset instead of the answer."""
        client, server = pair
        self._forget(pair)
        # first the client's side, so that no answer can slip through
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.close()
        server.sendall(chunk)
        with contextlib.suppress(OSError):
            server.settimeout(5)
            server.recv(CHUNK)  # the server has done it
        server.close()
        self.cuts += 1

    def _forget(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._pairs.remove(pair)


_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger {on, 0 seconds}: close sends a reset


def _reset(pair: tuple[socket.socket, socket.socket]) -> None:
    for side in pair:
        with contextlib.suppress(OSError):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    _close(pair)


def _close(pair: tuple[socket.socket, socket.socket]) -> None:
    for side in pair:
        # a thread that waits in `recv` keeps the connection open until it is shut down
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()
