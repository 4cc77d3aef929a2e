"""Threads that send: few at once to one host, and none held by what waits behind them."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from monitor.store.outbox import DuePlace


class SenderPool:
    """Calls *serve* with endpoints, each at most once at a time.

    Args:
        serve: Sends what is due to one endpoint; handles its own failures.
        size: Threads.
        per_host: Endpoints of one host that are served at once; of one that does not answer (*trusted* attempts in a
            row or more), one.
    """

    def __init__(self, serve: Callable[[int], None], *, name: str, size: int, per_host: int, trusted: int) -> None:
        self._serve = serve
        self._size = size
        self._per_host = per_host
        self._trusted = trusted
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: list[DuePlace] = []
        self._under_way: dict[int, DuePlace] = {}
        self._closed = False

    def offer(self, places: Sequence[DuePlace]) -> None:
        """Serve *places*, the first ones first, in place of what was offered before and was not begun."""
        with self._lock:
            self._waiting = list(places)
            self._begin()

    def close(self) -> None:
        """Wait for what is under way; begin nothing more."""
        with self._lock:
            self._closed = True
            self._waiting = []
        self._threads.shutdown(wait=True)

    def _begin(self) -> None:
        """Begin with what may be begun; the lock is held."""
        of_host = Counter(place.host for place in self._under_way.values())
        left = []
        for place in self._waiting:
            limit = 1 if place.silent >= self._trusted else self._per_host
            free = len(self._under_way) < self._size and not self._closed
            if place.endpoint_id in self._under_way:
                continue  # what it has by then is found at the next look
            if not free or (place.host is not None and of_host[place.host] >= limit):
                left.append(place)
                continue
            self._under_way[place.endpoint_id] = place
            of_host[place.host] += 1
            self._threads.submit(self._run, place)
        self._waiting = left

    def _run(self, place: DuePlace) -> None:
        try:
            self._serve(place.endpoint_id)
        finally:
            with self._lock:
                del self._under_way[place.endpoint_id]
                if not self._closed:
                    self._begin()
