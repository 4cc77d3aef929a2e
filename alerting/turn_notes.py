"""What came of the looks at models, written to Postgres for all alerters: a statement a second, not one a look."""

import sqlalchemy as sa

from monitor.clock import monotonic_seconds
from monitor.store.model_turns import note_turns
from monitor.store.outage import named_outage

_LEAST_SECONDS = 1.0
_LONGEST_PROBLEM = 500


class TurnNotes:
    """Collects which models were looked at and which of the looks failed, until they are written."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._turned: set[int] = set()
        self._failed: dict[int, tuple[int, str]] = {}
        self._written_at = monotonic_seconds()

    def turned(self, model_id: int) -> None:
        """Note that nothing was in the way of the model now, whatever failed before."""
        self._turned.add(model_id)
        self._failed.pop(model_id, None)

    def failed(self, model_id: int, problem: str) -> None:
        """Note that the look at the model failed."""
        times, _ = self._failed.get(model_id, (0, ""))
        self._failed[model_id] = times + 1, problem[:_LONGEST_PROBLEM]
        self._turned.discard(model_id)

    def write(self, *, at_once: bool = False) -> None:
        """Write what was noted, *at_once* or when the last time is a second ago.

        Raises:
            DriftlineError: Postgres is away, or refuses it; the notes stay.
        """
        if not at_once and monotonic_seconds() - self._written_at < _LEAST_SECONDS:
            return
        self._written_at = monotonic_seconds()
        with named_outage(self._engine, "noting which models were looked at"), self._engine.begin() as connection:
            note_turns(connection, sorted(self._turned), self._failed)
        self._turned.clear()
        self._failed.clear()
