"""Counts one batch of records: decode, decide what is admitted, add to the pending counts."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from consumers.admission import DeadLetterLimit, FutureCheckClock, decide_admission, future_baseline, lateness_bounds
from consumers.dead_letters import DeadLetterCollector, MessageBodies, message_bodies
from consumers.decode.deployments import DeploymentDecoder
from consumers.decode.predictions import PredictionDecoder
from consumers.decode.truths import Truth, TruthDecoder
from consumers.decoded_batch import DecodedBatch
from consumers.identities import digest_text, identity_hashes, prediction_digests, sampled
from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from consumers.prediction_counts import PredictionCounter
from consumers.records import RecordBatch
from consumers.telemetry import Timings
from consumers.version_places import VersionPlaces
from monitor.arrays import Int64s
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.flush import DeploymentRow, InboxRow
from monitor.types import PartitionKey, TopicRole

States = Mapping[PartitionKey, PartitionState]


class BatchCounter:
    """Counts batches of every topic role under one configuration; counting one a second time gives the same."""

    def __init__(
        self,
        configuration: Configuration,
        settings: Settings,
        timings: Timings,
        clock: FutureCheckClock,
        *,
        dead_letters: DeadLetterCollector,
        places: VersionPlaces | None = None,
    ) -> None:
        self.generation = configuration.generation
        self._max_message_bytes = settings.max_message_bytes
        self._timings = timings
        self._dead_letters = dead_letters
        refusals = _SharedRefusals(settings, timings, clock)
        self._roles: dict[TopicRole, _Role] = {
            TopicRole.PREDICTIONS: _Predictions(configuration, refusals, PredictionCounter(places)),
            TopicRole.TRUTHS: _Truths(configuration, refusals),
            TopicRole.DEPLOYMENTS: _Deployments(configuration, refusals),
        }

    def count(self, batch: RecordBatch, states: States, pending: PendingCounts) -> None:
        """Count *batch* into *pending* and move *states*."""
        bodies = message_bodies(batch, max_message_bytes=self._max_message_bytes)
        decoded = self._roles[batch.role].count(batch, bodies, states, pending)
        for key, rows in batch.by_partition():
            state, bad = states[key], ~decoded.good[rows]
            state.add(records=len(rows), dead=int(np.count_nonzero(bad)))
            state.advance(
                offsets=batch.offsets[rows],
                bad=bad & decoded.unattributed[rows],
                max_event_time=decoded.newest(rows, state.now.max_event_time),
            )
        self._dead_letters.collect(decoded, pending)
        pending.raw.append(batch)
        pending.events += len(batch.records)
        pending.bytes += bodies.size
        self._timings.end("count")


class _SharedRefusals:
    """Refusals that all roles share: times before 1973 or in the future, records after their model stopped."""

    def __init__(self, settings: Settings, timings: Timings, clock: FutureCheckClock) -> None:
        self.bounds = lateness_bounds(settings)
        self._limit = DeadLetterLimit(share=settings.dead_letter_share, minimum=settings.dead_letter_minimum)
        self._timings = timings
        self._clock = clock

    def apply(self, decoded: DecodedBatch, states: States) -> Int64s:
        """Refuse records of *decoded*, which were decoded; return the moments (ms) of `future_baseline`."""
        self._timings.end("decode")
        decoded.refuse_ancient()
        moments = future_baseline(decoded.batch, decoded.times, max_future=self.bounds.max_future, clock=self._clock)
        decoded.refuse_future(moments, max_future=self.bounds.max_future)
        for key, rows in decoded.batch.by_partition():
            decoded.refuse_stopped(rows, states[key], limit=self._limit, disorder=self.bounds.disorder)
        return moments


class _Role(Protocol):
    """What becomes of the records of one kind of topic."""

    def count(self, batch: RecordBatch, bodies: MessageBodies, states: States, pending: PendingCounts) -> DecodedBatch:
        """Count what is good of *batch* into *pending* and *states*; return what became of each record."""


class _Predictions:
    """Counted once each, unless late, into panes and the ledger's sample."""

    def __init__(self, configuration: Configuration, refusals: _SharedRefusals, counter: PredictionCounter) -> None:
        self._decoder = PredictionDecoder(configuration)
        self._refusals = refusals
        self._counter = counter

    def count(self, batch: RecordBatch, bodies: MessageBodies, states: States, pending: PendingCounts) -> DecodedBatch:
        models, refused = self._decoder.decode(bodies.contents, bodies.namespaces)
        decoded = DecodedBatch(batch, refused | bodies.refused)
        records = len(batch.records)
        hashes, extra = np.zeros(records, dtype=np.uint64), np.zeros(records, dtype=np.int64)
        digests = [prediction_digests(of_model.model.key, of_model.ids) for of_model in models]
        for of_model, their_digests in zip(models, digests, strict=True):
            decoded.well_formed(of_model.model, of_model.rows, of_model.times)
            hashes[of_model.rows] = identity_hashes(their_digests, of_model.versions)
            if of_model.extra is not None:
                extra[of_model.rows] = of_model.extra
        moments = self._refusals.apply(decoded, states)
        counted = np.zeros(records, dtype=np.bool_)
        for key, rows in batch.by_partition():
            state, good = states[key], rows[decoded.good[rows]]
            decisions = decide_admission(
                offsets=batch.offsets[good],
                timestamps=moments[good],
                times=decoded.times[good],
                hashes=hashes[good],
                seen=state.seen,
                max_event_time=state.now.max_event_time,
                bounds=self._refusals.bounds,
            )
            counted[good] = decisions.counted
            decoded.repeated[good] = decisions.duplicate
            state.add(
                counted=int(np.count_nonzero(decisions.counted)),
                duplicates=int(np.count_nonzero(decisions.duplicate)),
                late=int(np.count_nonzero(decisions.late)),
                extra_fields=int(extra[rows][counted[rows]].sum()),
            )
        for of_model, their_digests in zip(models, digests, strict=True):
            self._counter.count(of_model, their_digests, counted[of_model.rows], batch, pending)
        return decoded


class _Truths:
    """Never late; those of sampled predictions go to the inbox, where they wait for the join."""

    def __init__(self, configuration: Configuration, refusals: _SharedRefusals) -> None:
        self._decoder = TruthDecoder(configuration)
        self._refusals = refusals

    def count(self, batch: RecordBatch, bodies: MessageBodies, states: States, pending: PendingCounts) -> DecodedBatch:
        truths, refused = self._decoder.decode(bodies.contents, bodies.namespaces)
        decoded = DecodedBatch(batch, refused | bodies.refused)
        decoded.one_by_one((truth.row, truth.model, truth.known_at) for truth in truths)
        self._refusals.apply(decoded, states)
        by_model: dict[int, list[Truth]] = {}
        for truth in truths:
            if truth.row not in decoded.refused:
                by_model.setdefault(truth.model.model_id, []).append(truth)
        inbox: dict[int, InboxRow] = {}
        for of_model in by_model.values():
            model = of_model[0].model
            digests = prediction_digests(model.key, [truth.prediction_id for truth in of_model])
            kept = sampled(digests, model.spec.sample_rate).tolist()
            for truth, digest, is_kept in zip(of_model, digests, kept, strict=True):
                source = batch.partitions[int(batch.codes[truth.row])]
                states[source].add(counted=int(is_kept), unsampled=int(not is_kept))
                if is_kept:
                    inbox[truth.row] = InboxRow(
                        model_id=model.model_id,
                        prediction_hash=digest_text(digest),
                        known_at=truth.known_at,
                        value=truth.value,
                        prediction_time=truth.prediction_time,
                        source=source,
                        offset=int(batch.offsets[truth.row]),
                    )
        pending.truths += [inbox[row] for row in sorted(inbox)]
        return decoded


class _Deployments:
    """Never late; all are kept."""

    def __init__(self, configuration: Configuration, refusals: _SharedRefusals) -> None:
        self._decoder = DeploymentDecoder(configuration)
        self._refusals = refusals

    def count(self, batch: RecordBatch, bodies: MessageBodies, states: States, pending: PendingCounts) -> DecodedBatch:
        deployments, refused = self._decoder.decode(bodies.contents, bodies.namespaces)
        decoded = DecodedBatch(batch, refused | bodies.refused)
        decoded.one_by_one((deployment.row, deployment.model, deployment.event_time) for deployment in deployments)
        self._refusals.apply(decoded, states)
        for deployment in deployments:
            if deployment.row in decoded.refused:
                continue
            source = batch.partitions[int(batch.codes[deployment.row])]
            states[source].add(counted=1)
            pending.deployments.append(
                DeploymentRow(
                    model_id=deployment.model.model_id,
                    version=deployment.version,
                    event_time=deployment.event_time,
                    stage=deployment.stage,
                    traffic=deployment.traffic,
                    manifest=deployment.manifest,
                    source=source,
                    offset=int(batch.offsets[deployment.row]),
                )
            )
        return decoded
