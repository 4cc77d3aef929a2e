"""Folds truth events of one prediction id, in whatever order they come, into the one in force."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TruthKey:
    """A prediction id of a model; *prediction_hash* as UUID text."""

    model_id: int
    prediction_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthEvent:
    """One truth as it came; *value* None withdraws; times in epoch milliseconds."""

    key: TruthKey
    known_at: int
    value: str | None
    prediction_time: int | None
    topic: str
    partition: int
    offset: int
    incarnation: int = 0

    @property
    def rank(self) -> tuple[int, int, int, int, str]:
        """The highest is in force: known last, then the later offset; partition and topic only make it total.

        Offsets of a topic that was created again begin anew, so its incarnation comes before them.
        """
        return (self.known_at, self.incarnation, self.offset, self.partition, self.topic)


def in_force(events: Iterable[TruthEvent]) -> tuple[TruthEvent, ...]:
    """Return the truth in force of each prediction id among *events*, ordered by id."""
    newest: dict[TruthKey, TruthEvent] = {}
    for event in events:
        known = newest.get(event.key)
        if known is None or event.rank > known.rank:
            newest[event.key] = event
    return tuple(newest[key] for key in sorted(newest))
