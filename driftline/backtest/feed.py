"""Feeds history through ingest's own counting and flush, as one partition read from its beginning."""

import numpy as np
import sqlalchemy as sa

from consumers.admission import decide_admission, lateness_bounds
from consumers.decode.columns import Predictions
from consumers.flush import Flusher
from consumers.identities import identity_hashes, prediction_digests
from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from consumers.prediction_counts import PredictionCounter
from consumers.records import RecordBatch
from driftline.backtest.history import History
from driftline.backtest.truths import TruthTable
from monitor.arrays import Mask, UInt64s
from monitor.clock import monotonic_seconds
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel
from monitor.store.duplicates import SeenIdentities
from monitor.store.offsets import BrokerPartition, claim_partition
from monitor.types import PartitionKey, StartAt, TopicRole

TOPIC = "backtest"
_PARTITION = PartitionKey(TOPIC, 0)


class HistoryFeed:
    """One model's history on its way into one database.

    Attributes:
        counted, duplicates: Predictions so far; *truths_fed*: truths so far.
    """

    def __init__(
        self,
        engine: sa.Engine,
        model: AppliedModel,
        history: History,
        truths: TruthTable | None,
        *,
        generation: int,
        settings: Settings,
    ) -> None:
        self._model = model
        self._history = history
        self._truths = truths
        self._generation = generation
        self._counter = PredictionCounter()
        self._bounds = lateness_bounds(settings)
        horizon = 0 if history.ids is None else settings.dedup_horizon
        self._flusher = Flusher(engine, worker="backtest", horizon=horizon)
        partition = BrokerPartition(
            key=_PARTITION, role=TopicRole.PREDICTIONS, topic_id="", low=0, high=len(history.times)
        )
        with engine.begin() as connection:
            row = claim_partition(connection, partition, start_at=StartAt.EARLIEST)
        nothing = SeenIdentities(offsets=np.zeros(0, np.int64), hashes=np.zeros(0, np.uint64))
        self._state = PartitionState(row, nothing, horizon=horizon)
        self.counted = self.duplicates = self.truths_fed = 0

    def feed(self, chosen: slice) -> None:
        """Count the *chosen* rows and commit them, with the truths that were known at the last row's time."""
        predictions = self._history.predictions(self._model, chosen)
        offsets = np.arange(chosen.start, chosen.stop, dtype=np.int64)
        batch = RecordBatch(
            role=TopicRole.PREDICTIONS,
            partitions=(_PARTITION,),
            codes=np.zeros(len(offsets), dtype=np.intp),
            offsets=offsets,
            timestamps=predictions.times,
            records=(),
        )
        pending = PendingCounts()
        digests, keep, newest = self._identified(predictions, batch)
        self._counter.count(predictions, digests, keep, batch, pending)
        counted = int(np.count_nonzero(keep))
        self.counted += counted
        self.duplicates += len(offsets) - counted
        self._state.add(records=len(offsets), counted=counted, duplicates=len(offsets) - counted)
        self._state.advance(offsets=offsets, bad=np.zeros(len(offsets), dtype=np.bool_), max_event_time=newest)
        self._flush(pending, moment=int(predictions.times[-1]))

    def feed_truths(self, *, until: int) -> None:
        """Commit the truths that were known *until* then (ms), after the last prediction."""
        self._flush(PendingCounts(), moment=until)

    def _identified(self, predictions: Predictions, batch: RecordBatch) -> tuple[UInt64s, Mask, int | None]:
        """Return the predictions' digests (0 without ids), which ingest would count, and the newest time of these."""
        count = len(predictions.rows)
        if self._history.ids is None:
            return np.zeros((count, 2), dtype=np.uint64), np.ones(count, dtype=np.bool_), int(predictions.times[-1])
        digests = prediction_digests(self._model.key, predictions.ids)
        decisions = decide_admission(
            offsets=batch.offsets,
            timestamps=batch.timestamps,
            times=predictions.times,
            hashes=identity_hashes(digests, predictions.versions),
            seen=self._state.seen,
            max_event_time=self._state.now.max_event_time,
            bounds=self._bounds,
        )
        return digests, decisions.counted, decisions.max_event_time

    def _flush(self, pending: PendingCounts, *, moment: int) -> None:
        if self._truths is not None:
            until = self._truths.known_until(moment)
            chosen = slice(self.truths_fed, until)
            pending.truths += self._truths.inbox_rows(self._model.model_id, self._model.spec, chosen)
            self.truths_fed = until
        self._flusher.flush(pending, [self._state], generation=self._generation)
        self._state.mark_flushed(now=monotonic_seconds())
