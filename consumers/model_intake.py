"""Stops a model in one partition when too many of its records are bad: decided in the order of offsets; pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from consumers.admission import DeadLetterLimit, RecentRecords, decode_recent
from monitor.arrays import Indices, Int64s, Mask
from monitor.store.model_intake import UNTIL_END, IntakeRow
from monitor.types import PartitionKey

NO_MODEL = -1  # in columns of model ids: no applied model can be blamed for the record


@dataclass(frozen=True, slots=True)
class IntakeStop:
    """Why a model stops, and from which event time on (ms) its records are missing."""

    reason: str
    blind_since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intake:
    """One model: *stop* in force, or the last one that was, which ended at *blind_until*."""

    recent: RecentRecords = field(default_factory=RecentRecords)
    forgiven_until: int = 0
    stopped_reason: str | None = None
    blind_since: int | None = None
    blind_until: int | None = None


_FRESH = _Intake()


class ModelIntakes:
    """The models of one partition; what was decided since the last flush is forgotten by `roll_back`."""

    def __init__(self, key: PartitionKey, rows: Iterable[IntakeRow], *, end: int) -> None:
        """*end*: where the partition ends now, which is how far a resumed model is forgiven."""
        self._key = key
        self._stored: dict[int, _Intake] = {}
        self._changed: dict[int, _Intake] = {}
        self._not_in_log: dict[int, _Intake] = {}  # what does not follow from the log: a roll-back keeps it
        for row in rows:
            intake = _Intake(
                recent=decode_recent(row.recent_bad),
                forgiven_until=row.forgiven_until,
                stopped_reason=row.stopped_reason,
                blind_since=row.blind_since,
                blind_until=row.blind_until,
            )
            self._stored[row.model_id] = intake
            if row.forgiven_until == UNTIL_END:
                self._not_in_log[row.model_id] = replace(intake, forgiven_until=end)
        self._changed |= self._not_in_log

    @property
    def stopped(self) -> dict[int, str]:
        """The reason of each model whose stop is stored."""
        return {
            model_id: intake.stopped_reason
            for model_id, intake in self._stored.items()
            if intake.stopped_reason is not None
        }

    def reason(self, model_id: int) -> str | None:
        """Return why a model is stopped; None when it is not."""
        return self._of(model_id).stopped_reason

    def take(
        self,
        model_ids: Int64s,
        bad: Mask,
        offsets: Int64s,
        *,
        limit: DeadLetterLimit,
        stop: Callable[[int], IntakeStop],
    ) -> Mask:
        """Take in records in offset order; return those that come after their model stopped.

        Args:
            model_ids: Shape ``(records,)``; `NO_MODEL` speaks for and against nobody.
            bad: Which of them are dead letters that speak against their model.
            stop: Of the index of the record that brought its model over the limit.
        """
        after_stop = np.zeros(len(model_ids), dtype=np.bool_)
        for model_id, rows in _by_model(model_ids):
            intake = self._of(model_id)
            if intake.stopped_reason is not None:
                after_stop[rows] = True
                continue
            marks = bad[rows] & (offsets[rows] >= intake.forgiven_until)
            past = intake.recent.first_over_limit(marks, limit)
            if past is None:
                self._changed[model_id] = replace(intake, recent=intake.recent.after(marks))
                continue
            index = int(rows[past])
            self._changed[model_id] = _stopped(
                replace(intake, recent=intake.recent.after(marks[: past + 1])), stop(index)
            )
            after_stop[rows[past + 1 :]] = True
        return after_stop

    def stop(self, model_id: int, stop: IntakeStop) -> None:
        """Stop a model from the first record that is not stored yet on, for a reason that is not in the log."""
        self._not_in_log[model_id] = _stopped(self._stored.get(model_id, _FRESH), stop)
        self._changed[model_id] = self._not_in_log[model_id]

    def resumed(self, model_id: int, *, end: int, blind_until: int | None) -> None:
        """Resume a model whose stop is stored; its bad records before *end* no longer count."""
        before = self._stored[model_id]
        self._stored[model_id] = replace(
            before, recent=RecentRecords(), forgiven_until=UNTIL_END, stopped_reason=None, blind_until=blind_until
        )
        self._not_in_log[model_id] = replace(self._stored[model_id], forgiven_until=end)
        self._changed[model_id] = self._not_in_log[model_id]

    def unstored(self) -> tuple[IntakeRow, ...]:
        """Return what a flush has to write: models of which anything else is stored."""
        rows = ((self._row(model_id, now), self._stored.get(model_id)) for model_id, now in self._changed.items())
        return tuple(now for now, stored in rows if stored is None or now != self._row(now.model_id, stored))

    def mark_flushed(self) -> None:
        """Note that a flush stored the current state."""
        self._stored |= self._changed
        self._changed.clear()
        self._not_in_log.clear()

    def roll_back(self) -> None:
        """Forget the unflushed records; they will be taken in again."""
        self._changed = dict(self._not_in_log)

    def _of(self, model_id: int) -> _Intake:
        return self._changed.get(model_id) or self._stored.get(model_id, _FRESH)

    def _row(self, model_id: int, intake: _Intake) -> IntakeRow:
        return IntakeRow(
            key=self._key,
            model_id=model_id,
            recent_bad=intake.recent.encoded(),
            forgiven_until=intake.forgiven_until,
            stopped_reason=intake.stopped_reason,
            blind_since=intake.blind_since,
            blind_until=intake.blind_until,
        )


def _stopped(intake: _Intake, stop: IntakeStop) -> _Intake:
    return replace(intake, stopped_reason=stop.reason, blind_since=stop.blind_since, blind_until=None)


def _by_model(model_ids: Int64s) -> Iterator[tuple[int, Indices]]:
    """Yield each model's rows, rising."""
    if not len(model_ids):
        return
    first = int(model_ids[0])
    if (model_ids == first).all():  # the common case
        if first != NO_MODEL:
            yield first, np.arange(len(model_ids))
        return
    order = np.argsort(model_ids, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(model_ids[order])) + 1):
        model_id = int(model_ids[rows[0]])
        if model_id != NO_MODEL:
            yield model_id, rows
