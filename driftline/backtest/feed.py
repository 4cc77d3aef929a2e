"""Counts history and writes it through ingest's own flush, as one partition that was read from its beginning."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from consumers.count_predictions import PredictionCounter
from consumers.flush import Flusher
from consumers.identity import Digests, prediction_digests
from consumers.partition import PartitionState
from consumers.pending import Pending
from consumers.records import RecordBatch
from driftline.backtest.history import History
from driftline.backtest.truths import TruthTable
from monitor.clock import monotonic_seconds
from monitor.store.configuration import AppliedModel
from monitor.store.dedup import SeenIdentities
from monitor.store.offsets import BrokerPartition, claim_partition
from monitor.types import PartitionKey, TopicRole

TOPIC = "backtest"
_PARTITION = PartitionKey(TOPIC, 0)


class Feed:
    """One model's history on its way into one database."""

    def __init__(
        self, engine: sa.Engine, model: AppliedModel, history: History, truths: TruthTable | None, *, generation: int
    ) -> None:
        self._model = model
        self._history = history
        self._truths = truths
        self._generation = generation
        self._counter = PredictionCounter()
        self._flusher = Flusher(engine, worker="backtest", horizon=0)
        found = BrokerPartition(key=_PARTITION, role=TopicRole.PREDICTIONS, topic_id="", low=0, high=len(history.times))
        with engine.begin() as connection:
            row = claim_partition(connection, found, start_at="earliest")
        nothing = SeenIdentities(offsets=np.zeros(0, np.int64), hashes=np.zeros(0, np.uint64))
        self._state = PartitionState(row, nothing, horizon=0)
        self.truths_fed = 0

    def feed(self, chosen: slice) -> None:
        """Count the *chosen* rows and commit them, with the truths that were known at the last row's time."""
        found = self._history.predictions(self._model, chosen)
        offsets = np.arange(chosen.start, chosen.stop, dtype=np.int64)
        batch = RecordBatch(
            role=TopicRole.PREDICTIONS,
            partitions=(_PARTITION,),
            codes=np.zeros(len(offsets), dtype=np.intp),
            offsets=offsets,
            timestamps=found.times,
            records=(),
        )
        newest = int(found.times[-1])
        pending = Pending()
        keep = np.ones(len(offsets), dtype=np.bool_)
        self._counter.count(found, self._digests(found.ids), keep, batch, pending)
        self._add_truths(newest, pending)
        self._state.add(records=len(offsets), counted=len(offsets))
        self._state.advance(offsets=offsets, bad=~keep, max_event_time=newest)
        self._flusher.flush(pending, [self._state], generation=self._generation)
        self._state.keep(now=monotonic_seconds())

    def _digests(self, ids: Sequence[str]) -> Digests:
        if self._truths is None:
            return np.zeros((len(ids), 2), dtype=np.uint64)  # nobody will look for these predictions
        return prediction_digests(self._model.key, ids)

    def _add_truths(self, moment: int, pending: Pending) -> None:
        if self._truths is None:
            return
        until = self._truths.known_until(moment)
        chosen = slice(self.truths_fed, until)
        pending.truths += self._truths.inbox_rows(self._model.model_id, self._model.spec, chosen)
        self.truths_fed = until
