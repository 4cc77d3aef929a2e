"""One batch into the pending counts: decode, decide, count; the same whether for the first or the second time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from consumers.count_predictions import PredictionCounter
from consumers.dead_letter_limit import DeadLetterLimit
from consumers.decisions import DecidingClock, Integers, Patience, decide, held_against, largest_time
from consumers.decode.decoded import Predictions, Refusal
from consumers.decode.json_deployments import DeploymentDecoder
from consumers.decode.json_predictions import PredictionDecoder
from consumers.decode.json_truths import TruthDecoder
from consumers.decode.times import before_calendar
from consumers.identity import Digests, digest_text, identity_hashes, prediction_digests, sampled
from consumers.partition import PartitionState
from consumers.pending import Pending
from consumers.records import RecordBatch
from consumers.refuse import Bodies, bodies_of, dead_letter
from consumers.timings import Timings
from monitor.clock import iso_utc
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.deployments import DeploymentRow
from monitor.store.inbox import InboxRow
from monitor.time_units import EARLIEST_MILLIS
from monitor.types import DeadLetterReason, ModelKey, PartitionKey, TopicRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Well-formed records of a batch without columns: rows (rising) and event times (ms)."""

    rows: list[int]
    times: list[int]


class Absorber:
    """Everything that is counted under one configuration."""

    def __init__(
        self, configuration: Configuration, settings: Settings, timings: Timings, clock: DecidingClock
    ) -> None:
        self.generation = configuration.generation
        self._settings = settings
        self._timings = timings
        self._clock = clock
        self._predictions = PredictionDecoder(configuration)
        self._truths = TruthDecoder(configuration)
        self._deployments = DeploymentDecoder(configuration)
        self._counter = PredictionCounter()
        self._limit = DeadLetterLimit(share=settings.dead_letter_share, minimum=settings.dead_letter_minimum)
        self._patience = Patience(
            disorder=settings.disorder_seconds * 1000,
            allowed_lateness=settings.allowed_lateness_seconds * 1000,
            max_future=settings.max_future_seconds * 1000,
        )

    def absorb(
        self, batch: RecordBatch, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> frozenset[PartitionKey]:
        """Count *batch* into *pending* and move *states*; return the partitions that passed the dead-letter limit.

        When any did, *pending* and *states* hold too much: drop those partitions and count the raw records again.
        """
        bodies = bodies_of(batch, max_message_bytes=self._settings.max_message_bytes)
        match batch.role:
            case TopicRole.PREDICTIONS:
                stopped = self._absorb_predictions(batch, bodies, states, pending)
            case TopicRole.TRUTHS:
                stopped = self._absorb_truths(batch, bodies, states, pending)
            case _:
                stopped = self._absorb_deployments(batch, bodies, states, pending)
        pending.raw.append(batch)
        pending.events += len(batch.records)
        self._timings.end("count")
        return stopped

    def _absorb_predictions(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> frozenset[PartitionKey]:
        decoded = self._predictions.decode(bodies.contents, bodies.namespaces)
        count = len(batch.records)
        times, hashes = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.uint64)
        good, extra = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.int64)
        digests: list[tuple[Predictions, Digests]] = []
        for found in decoded.models:
            of_model = prediction_digests(found.model.key, found.ids)
            digests.append((found, of_model))
            times[found.rows] = found.times
            hashes[found.rows] = identity_hashes(of_model, found.versions)
            good[found.rows] = True
            if found.extra is not None:
                extra[found.rows] = found.extra
        self._timings.end("decode")
        refused = {each.index: each for each in decoded.refused} | bodies.refused
        self._refuse_ancient(good, times, refused)
        bounds = self._held_against(batch, times)
        counted, stopped = np.zeros(count, dtype=np.bool_), set()
        for code, key in enumerate(batch.partitions):
            rows = batch.of_partition(code)
            if not len(rows):
                continue
            state, well = states[key], rows[good[rows]]
            decisions = decide(
                offsets=batch.offsets[well],
                timestamps=bounds[well],
                times=times[well],
                hashes=hashes[well],
                seen=state.seen,
                max_event_time=state.now.max_event_time,
                patience=self._patience,
            )
            counted[well] = decisions.counted
            good[well] = ~decisions.future
            for row in well[decisions.future].tolist():
                refused[row] = self._future(row, int(times[row]), batch=batch, bounds=bounds)
            state.add(
                counted=int(np.count_nonzero(decisions.counted)),
                duplicates=int(np.count_nonzero(decisions.duplicate)),
                late=int(np.count_nonzero(decisions.late)),
                extra_fields=int(extra[rows][counted[rows]].sum()),
            )
            if self._finish(batch, rows, ~good[rows], decisions.max_event_time, state):
                stopped.add(key)
        for found, of_model in digests:
            self._counter.count(found, of_model, counted[found.rows], batch, pending)
        self._bury(batch, refused, pending)
        return frozenset(stopped)

    def _absorb_truths(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> frozenset[PartitionKey]:
        truths, refusals = self._truths.decode(bodies.contents, bodies.namespaces)
        self._timings.end("decode")
        refused = {each.index: each for each in refusals} | bodies.refused
        timed = Timed(rows=[each.row for each in truths], times=[each.known_at for each in truths])
        stopped = self._finish_timed(batch, timed, refused, states)
        of_model: dict[ModelKey, list[int]] = {}
        for index, each in enumerate(truths):
            if each.row not in refused:
                of_model.setdefault(each.model.key, []).append(index)
        rows: list[tuple[int, InboxRow]] = []
        for key, indices in of_model.items():
            digests = prediction_digests(key, [truths[index].prediction_id for index in indices])
            kept = sampled(digests, truths[indices[0]].model.spec.sample_rate).tolist()
            for place, index in enumerate(indices):
                each = truths[index]
                source = batch.partitions[int(batch.codes[each.row])]
                states[source].add(counted=int(kept[place]), unsampled=int(not kept[place]))
                if kept[place]:
                    row = InboxRow(
                        model_id=each.model.model_id,
                        prediction_hash=digest_text(digests[place]),
                        known_at=each.known_at,
                        value=each.value,
                        prediction_time=each.prediction_time,
                        source=source,
                        offset=int(batch.offsets[each.row]),
                    )
                    rows.append((each.row, row))
        pending.truths += [row for _, row in sorted(rows, key=lambda pair: pair[0])]
        self._bury(batch, refused, pending)
        return stopped

    def _absorb_deployments(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> frozenset[PartitionKey]:
        found, refusals = self._deployments.decode(bodies.contents, bodies.namespaces)
        self._timings.end("decode")
        refused = {each.index: each for each in refusals} | bodies.refused
        timed = Timed(rows=[each.row for each in found], times=[each.event_time for each in found])
        stopped = self._finish_timed(batch, timed, refused, states)
        for each in found:
            if each.row in refused:
                continue
            source = batch.partitions[int(batch.codes[each.row])]
            states[source].add(counted=1)
            pending.deployments.append(
                DeploymentRow(
                    model_id=each.model.model_id,
                    version=each.version,
                    event_time=each.event_time,
                    stage=each.stage,
                    traffic=each.traffic,
                    manifest=each.manifest,
                    source=source,
                    offset=int(batch.offsets[each.row]),
                )
            )
        self._bury(batch, refused, pending)
        return stopped

    def _finish_timed(
        self,
        batch: RecordBatch,
        timed: Timed,
        refused: dict[int, Refusal],
        states: Mapping[PartitionKey, PartitionState],
    ) -> frozenset[PartitionKey]:
        """Refuse what is future (into *refused*) and move the partitions; truths and deployments are never late."""
        count, stopped = len(batch.records), set()
        good, times = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.int64)
        good[timed.rows], times[timed.rows] = True, timed.times
        self._refuse_ancient(good, times, refused)
        bounds = self._held_against(batch, times)
        for row in np.nonzero(good & (times > bounds + self._patience.max_future))[0].tolist():
            refused[row] = self._future(row, int(times[row]), batch=batch, bounds=bounds)
            good[row] = False
        for code, key in enumerate(batch.partitions):
            rows = batch.of_partition(code)
            if len(rows):
                newest = largest_time(times[rows[good[rows]]], states[key].now.max_event_time)
                if self._finish(batch, rows, ~good[rows], newest, states[key]):
                    stopped.add(key)
        return frozenset(stopped)

    def _finish(
        self,
        batch: RecordBatch,
        rows: np.ndarray[tuple[int], np.dtype[np.intp]],
        bad: np.ndarray[tuple[int], np.dtype[np.bool_]],
        max_event_time: int | None,
        state: PartitionState,
    ) -> bool:
        offsets = batch.offsets[rows]
        reached = state.passes(self._limit, offsets=offsets, bad=bad)
        state.add(records=len(rows), dead=int(np.count_nonzero(bad)))
        state.advance(offsets=offsets, bad=bad, max_event_time=max_event_time)
        return reached

    def _refuse_ancient(
        self,
        good: np.ndarray[tuple[int], np.dtype[np.bool_]],
        times: np.ndarray[tuple[int], np.dtype[np.int64]],
        refused: dict[int, Refusal],
    ) -> None:
        # The first event of a partition is never late: without a bound its minute and week may lie before any calendar.
        for row in np.nonzero(good & (times < EARLIEST_MILLIS))[0].tolist():
            sentence = before_calendar("timestamp", int(times[row])).sentence
            refused[row] = Refusal(index=row, reason=DeadLetterReason.MALFORMED, sentence=sentence)
            good[row] = False

    def _held_against(self, batch: RecordBatch, times: Integers) -> Integers:
        return held_against(batch, times, max_future=self._patience.max_future, clock=self._clock)

    def _future(self, row: int, time: int, *, batch: RecordBatch, bounds: Integers) -> Refusal:
        by_clock = int(bounds[row]) != int(batch.timestamps[row])
        against = "the database's clock when it was first read," if by_clock else "the record's Kafka timestamp"
        sentence = (
            f"timestamp: expected at most {self._settings.max_future_seconds} s after {against}"
            f" {iso_utc(int(bounds[row]))}, found {iso_utc(time)}"
            + (" (its producer dates the records: is that clock ahead?)" if by_clock else "")
        )
        return Refusal(index=row, reason=DeadLetterReason.FUTURE, sentence=sentence)

    def _bury(self, batch: RecordBatch, refused: Mapping[int, Refusal], pending: Pending) -> None:
        for row in sorted(refused):
            pending.dead_letters.append(
                dead_letter(batch.records[row], refused[row], keep_bytes=self._settings.dead_letter_bytes)
            )
