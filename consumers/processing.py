"""One batch into the pending counts: decode, decide, count; the same whether for the first or the second time."""

from collections.abc import Mapping

import numpy as np

from consumers.admission import DeadLetterLimit, DecidingClock, Patience, decide, held_against, largest_time
from consumers.dead_letters import Bodies, Burials, bodies_of
from consumers.decode.columns import Predictions
from consumers.decode.deployments import DeploymentDecoder
from consumers.decode.predictions import PredictionDecoder
from consumers.decode.truths import TruthDecoder
from consumers.identities import digest_text, identity_hashes, prediction_digests, sampled
from consumers.judged import Judged
from consumers.partition_state import PartitionState
from consumers.pending import Pending
from consumers.prediction_counts import PredictionCounter
from consumers.records import RecordBatch
from consumers.telemetry import Timings
from consumers.version_places import VersionPlaces
from monitor.arrays import Indices, Int64s, UInt64s
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.flush import DeploymentRow, InboxRow
from monitor.types import ModelKey, PartitionKey, TopicRole


class Absorber:
    """Everything that is counted under one configuration."""

    def __init__(
        self,
        configuration: Configuration,
        settings: Settings,
        timings: Timings,
        clock: DecidingClock,
        *,
        burials: Burials,
        places: VersionPlaces | None = None,
    ) -> None:
        self.generation = configuration.generation
        self._settings = settings
        self._timings = timings
        self._clock = clock
        self._burials = burials
        self._predictions = PredictionDecoder(configuration)
        self._truths = TruthDecoder(configuration)
        self._deployments = DeploymentDecoder(configuration)
        self._counter = PredictionCounter(places)
        self._limit = DeadLetterLimit(share=settings.dead_letter_share, minimum=settings.dead_letter_minimum)
        self._patience = Patience(
            disorder=settings.disorder_seconds * 1000,
            allowed_lateness=settings.allowed_lateness_seconds * 1000,
            max_future=settings.max_future_seconds * 1000,
        )

    def absorb(self, batch: RecordBatch, states: Mapping[PartitionKey, PartitionState], pending: Pending) -> None:
        """Count *batch* into *pending* and move *states*."""
        bodies = bodies_of(batch, max_message_bytes=self._settings.max_message_bytes)
        match batch.role:
            case TopicRole.PREDICTIONS:
                self._absorb_predictions(batch, bodies, states, pending)
            case TopicRole.TRUTHS:
                self._absorb_truths(batch, bodies, states, pending)
            case _:
                self._absorb_deployments(batch, bodies, states, pending)
        pending.raw.append(batch)
        pending.events += len(batch.records)
        pending.bytes += bodies.size
        self._timings.end("count")

    def _absorb_predictions(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> None:
        models, refused = self._predictions.decode(bodies.contents, bodies.namespaces)
        count = len(batch.records)
        judged = Judged(batch, refused | bodies.refused)
        hashes, extra = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.int64)
        digests: list[tuple[Predictions, UInt64s]] = []
        for found in models:
            of_model = prediction_digests(found.model.key, found.ids)
            digests.append((found, of_model))
            judged.well_formed(found.model, found.rows, found.times)
            hashes[found.rows] = identity_hashes(of_model, found.versions)
            if found.extra is not None:
                extra[found.rows] = found.extra
        self._timings.end("decode")
        bounds = self._judge(judged, states)
        counted = np.zeros(count, dtype=np.bool_)
        for code, key in enumerate(batch.partitions):
            rows = batch.of_partition(code)
            if not len(rows):
                continue
            state, well = states[key], rows[judged.good[rows]]
            decisions = decide(
                offsets=batch.offsets[well],
                timestamps=bounds[well],
                times=judged.times[well],
                hashes=hashes[well],
                seen=state.seen,
                max_event_time=state.now.max_event_time,
                patience=self._patience,
            )
            counted[well] = decisions.counted
            state.add(
                counted=int(np.count_nonzero(decisions.counted)),
                duplicates=int(np.count_nonzero(decisions.duplicate)),
                late=int(np.count_nonzero(decisions.late)),
                extra_fields=int(extra[rows][counted[rows]].sum()),
            )
            _finish(judged, rows, decisions.max_event_time, state)
        for found, of_model in digests:
            self._counter.count(found, of_model, counted[found.rows], batch, pending)
        self._burials.bury(judged, pending)

    def _absorb_truths(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> None:
        truths, refusals = self._truths.decode(bodies.contents, bodies.namespaces)
        self._timings.end("decode")
        judged = Judged(batch, refusals | bodies.refused)
        judged.one_by_one((truth.row, truth.model, truth.known_at) for truth in truths)
        self._finish_timed(judged, states)
        of_model: dict[ModelKey, list[int]] = {}
        for index, truth in enumerate(truths):
            if truth.row not in judged.refused:
                of_model.setdefault(truth.model.key, []).append(index)
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
        self._burials.bury(judged, pending)

    def _absorb_deployments(
        self, batch: RecordBatch, bodies: Bodies, states: Mapping[PartitionKey, PartitionState], pending: Pending
    ) -> None:
        found, refusals = self._deployments.decode(bodies.contents, bodies.namespaces)
        self._timings.end("decode")
        judged = Judged(batch, refusals | bodies.refused)
        judged.one_by_one((deployment.row, deployment.model, deployment.event_time) for deployment in found)
        self._finish_timed(judged, states)
        for value in found:
            if value.row in judged.refused:
                continue
            source = batch.partitions[int(batch.codes[value.row])]
            states[source].add(counted=1)
            pending.deployments.append(
                DeploymentRow(
                    model_id=value.model.model_id,
                    version=value.version,
                    event_time=value.event_time,
                    stage=value.stage,
                    traffic=value.traffic,
                    manifest=value.manifest,
                    source=source,
                    offset=int(batch.offsets[value.row]),
                )
            )
        self._burials.bury(judged, pending)

    def _finish_timed(self, judged: Judged, states: Mapping[PartitionKey, PartitionState]) -> None:
        """Refuse what is to be refused and move the partitions; truths and deployments are never late."""
        self._judge(judged, states)
        for code, key in enumerate(judged.batch.partitions):
            rows = judged.batch.of_partition(code)
            if len(rows):
                newest = largest_time(judged.times[rows[judged.good[rows]]], states[key].now.max_event_time)
                _finish(judged, rows, newest, states[key])

    def _judge(self, judged: Judged, states: Mapping[PartitionKey, PartitionState]) -> Int64s:
        """Refuse what is out of all time, and then what comes after its model stopped in the partition.

        Return the moment (ms) that each event time was held against.
        """
        judged.refuse_ancient()
        bounds = held_against(judged.batch, judged.times, max_future=self._patience.max_future, clock=self._clock)
        judged.refuse_future(bounds, max_future_seconds=self._settings.max_future_seconds)
        for code, key in enumerate(judged.batch.partitions):
            rows = judged.batch.of_partition(code)
            if len(rows):
                judged.refuse_stopped(rows, states[key], limit=self._limit, disorder=self._patience.disorder)
        return bounds


def _finish(judged: Judged, rows: Indices, max_event_time: int | None, state: PartitionState) -> None:
    bad = ~judged.good[rows]
    state.add(records=len(rows), dead=int(np.count_nonzero(bad)))
    state.advance(
        offsets=judged.batch.offsets[rows],
        bad=bad & judged.unattributed[rows],
        max_event_time=max_event_time,
    )
