"""Which models are looked at next: those that were woken, all of them when a sweep is due, those behind in turn."""

import threading
from dataclasses import dataclass, field

from monitor.clock import monotonic_seconds

ALL_MODELS = None


class DueModels:
    """Queue of models to advance, between the thread of wake-ups and the alerter's; each model at most once."""

    def __init__(self, *, sweep_seconds: float) -> None:
        self._sweep_seconds = sweep_seconds
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._next_sweep = monotonic_seconds()  # the first look is at all of them

    def wake(self, name: str) -> None:
        """Queue the model *name*."""
        with self._condition:
            self._names.add(name)
            self._condition.notify()

    def take(self, *, timeout_seconds: float) -> frozenset[str] | None:
        """Take the queued names; `ALL_MODELS` when a sweep is due, nothing after *timeout_seconds*."""
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


@dataclass(slots=True)
class ModelsBehind:
    """Models with more windows due than one batch, by the last window end (ms) that was judged.

    In a round each has one batch, the one that is least behind first: it is soon done, and its windows are still of
    use. So a long backlog holds up nobody, and is worked off all the same.
    """

    _judged_until: dict[int, int] = field(default_factory=dict)
    _had_a_batch: set[int] = field(default_factory=set)

    def __contains__(self, model_id: int) -> bool:
        return model_id in self._judged_until

    def __bool__(self) -> bool:
        return bool(self._judged_until)

    @property
    def oldest(self) -> int | None:
        """The last judged window end (ms) of the model furthest behind; None: none is behind."""
        return min(self._judged_until.values(), default=None)

    def add(self, model_id: int, judged_until: int | None) -> None:
        """Note a model of which more is due, *judged_until* None: as far as it was known before."""
        self._judged_until[model_id] = self._judged_until.get(model_id, -1) if judged_until is None else judged_until

    def remove(self, model_id: int) -> None:
        """Forget a model that is not behind any more, or cannot be advanced now."""
        self._judged_until.pop(model_id, None)
        self._had_a_batch.discard(model_id)

    def keep(self, model_ids: frozenset[int]) -> None:
        """Forget all models but these."""
        for model_id in self._judged_until.keys() - model_ids:
            self.remove(model_id)

    def next(self) -> int | None:
        """Return whose batch is next; None: nobody is behind."""
        if not self._judged_until:
            return None
        waiting = set(self._judged_until) - self._had_a_batch
        if not waiting:
            self._had_a_batch.clear()
            waiting = set(self._judged_until)
        chosen = max(waiting, key=lambda model_id: (self._judged_until[model_id], -model_id))
        self._had_a_batch.add(chosen)
        return chosen
