"""Which models are to be looked at: those that woke the alerter, and all of them whenever a sweep is due."""

import threading

from monitor.clock import monotonic_seconds

ALL_MODELS = None


class DueModels:
    """Names gathered by one thread and taken by another; many wake-ups of one model are one look."""

    def __init__(self, *, sweep_seconds: float) -> None:
        self._sweep_seconds = sweep_seconds
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._next_sweep = monotonic_seconds()  # the first look is at all of them

    def wake(self, name: str) -> None:
        """Remember *name*."""
        with self._condition:
            self._names.add(name)
            self._condition.notify()

    def take(self, *, timeout_seconds: float) -> frozenset[str] | None:
        """Return the gathered names, `ALL_MODELS` when a sweep is due, nothing after *timeout_seconds*."""
        with self._condition:
            until_sweep = self._next_sweep - monotonic_seconds()
            if not self._names and until_sweep > 0:
                self._condition.wait(min(timeout_seconds, until_sweep))
            names = frozenset(self._names)
            self._names.clear()
            if monotonic_seconds() < self._next_sweep:
                return names
            self._next_sweep = monotonic_seconds() + self._sweep_seconds
            return ALL_MODELS
