"""A decoded batch and its refusals: which records count, and of which model and event time they are."""

from collections.abc import Iterable

import numpy as np

from consumers.admission import DeadLetterLimit, largest_time
from consumers.decode.columns import RecordRefusal
from consumers.decode.times import before_calendar
from consumers.model_intake import NO_MODEL, IntakeStop
from consumers.partition_state import PartitionState
from consumers.records import RecordBatch
from monitor.arrays import Indices, Int64s
from monitor.clock import iso_utc
from monitor.store.configuration import AppliedModel
from monitor.types import DeadLetterReason, ModelKey
from monitor.units import EARLIEST_MILLIS

NOBODYS_FAULT = frozenset({DeadLetterReason.UNKNOWN_MODEL, DeadLetterReason.SPEC_UNREADABLE})
"""Reasons that no producer is to blame for: the operator has to decide or to repair something."""


class DecodedBatch:
    """One batch after decoding: its refusals by row, and columns of shape ``(records,)``.

    Attributes:
        good: Well-formed and not refused.
        repeated: Good, and the same prediction again: it moves no event time.
        times: Event times (ms) of well-formed records.
        model_ids: Of the applied model that a record is of, or counts as bad for; else `NO_MODEL`.
        unattributed: Refused, and no model can be blamed for it: it names none, or cannot be read.
    """

    def __init__(self, batch: RecordBatch, refused: dict[int, RecordRefusal]) -> None:
        count = len(batch.records)
        self.batch = batch
        self.refused = refused
        self.good = np.zeros(count, dtype=np.bool_)
        self.repeated = np.zeros(count, dtype=np.bool_)
        self.times = np.zeros(count, dtype=np.int64)
        self.model_ids = np.full(count, NO_MODEL, dtype=np.int64)
        self.unattributed = np.zeros(count, dtype=np.bool_)
        self._models: dict[int, ModelKey] = {}
        for row, refusal in refused.items():
            if refusal.model_id is not None:
                self.model_ids[row] = refusal.model_id
            elif refusal.reason not in NOBODYS_FAULT:
                self.unattributed[row] = True

    def well_formed(self, model: AppliedModel, rows: Indices, times: Int64s) -> None:
        """*rows* are records of *model* at *times*."""
        self._models[model.model_id] = model.key
        self.good[rows], self.times[rows], self.model_ids[rows] = True, times, model.model_id

    def one_by_one(self, records: Iterable[tuple[int, AppliedModel, int]]) -> None:
        """Take row, model and time of each well-formed record."""
        rows, models, times = [], [], []
        for row, model, time in records:
            self._models[model.model_id] = model.key
            rows.append(row)
            models.append(model.model_id)
            times.append(time)
        self.good[rows], self.times[rows], self.model_ids[rows] = True, times, models

    def refuse_ancient(self) -> None:
        """Refuse event times before 1973.

        The first event of a partition is never late: without a bound its minute and week may lie before all others.
        """
        for row in np.flatnonzero(self.good & (self.times < EARLIEST_MILLIS)).tolist():
            self._refuse(row, DeadLetterReason.MALFORMED, before_calendar("timestamp", int(self.times[row])).sentence)

    def newest(self, rows: Indices, before: int | None) -> int | None:
        """Return the largest event time (ms) of what counts among *rows*, and *before*; None when there is neither."""
        return largest_time(self.times[rows[self.good[rows] & ~self.repeated[rows]]], before)

    def refuse_future(self, moments: Int64s, *, max_future: int) -> None:
        """Refuse event times over *max_future* (ms) ahead of *moments* (see `future_baseline`)."""
        for row in np.flatnonzero(self.good & (self.times > moments + max_future)).tolist():
            moment = int(moments[row])
            by_clock = moment != int(self.batch.timestamps[row])
            against = "the database's clock when it was first read," if by_clock else "the record's Kafka timestamp"
            sentence = (
                f"timestamp: expected at most {max_future // 1000} s after {against} {iso_utc(moment)},"
                f" found {iso_utc(int(self.times[row]))}"
                + (" (its producer dates the records: is that clock ahead?)" if by_clock else "")
            )
            self._refuse(row, DeadLetterReason.FUTURE, sentence)

    def refuse_stopped(self, rows: Indices, state: PartitionState, *, limit: DeadLetterLimit, disorder: int) -> None:
        """Take the records of one partition into its models' intakes; refuse those of models that are stopped."""
        bad = ~self.good[rows]

        def stop(index: int) -> IntakeStop:
            row = int(rows[index])
            before = rows[:index][self.good[rows[:index]]]
            newest = largest_time(self.times[before], state.now.max_event_time)
            since = int(self.batch.timestamps[row]) if newest is None else newest
            reason = (
                f"over {limit.share:.0%} of its last 1,000 records bad, and at least {limit.minimum}; the last one at"
                f" offset {int(self.batch.offsets[row])}: {self.refused[row].sentence}"
            )
            return IntakeStop(reason, since - disorder)

        after_stop = state.intakes.take(self.model_ids[rows], bad, self.batch.offsets[rows], limit=limit, stop=stop)
        for row in rows[after_stop & ~bad].tolist():
            model_id = int(self.model_ids[row])
            model = self._models[model_id]
            sentence = (
                f"model: expected one that goes on in {state.key}, found {model} stopped there:"
                f" {state.intakes.reason(model_id)}; then run `driftline models resume {model}`"
            )
            self._refuse(row, DeadLetterReason.MODEL_STOPPED, sentence)

    def _refuse(self, row: int, reason: DeadLetterReason, sentence: str) -> None:
        model_id = int(self.model_ids[row])
        self.refused[row] = RecordRefusal(
            reason=reason, sentence=sentence, model=self._models[model_id], model_id=model_id
        )
        self.good[row] = False
