"""One minute of all roles on a filled database: flush, truths, evaluation, deliveries, maintain, `driftline status`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import sqlalchemy as sa

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, endpoints_with_work, expire_overdue_effects
from alerting.receivers.webhook import WebhookSettings
from benchmarks.statements.explained import Explained, explaining
from monitor.evaluate import Evaluator, evaluation_rules
from monitor.health import Health
from monitor.maintain.loop import Maintainer
from monitor.settings import load_settings
from monitor.store.configuration import load_configuration, read_generation
from monitor.store.duplicates import SeenIdentities
from monitor.store.flush import FlushContents, InboxRow, write_flush
from monitor.store.ledger import LedgerRows
from monitor.store.offsets import PartitionCounters, PartitionMove
from monitor.store.pane_marks import NewMark
from monitor.store.panes import PaneDelta
from monitor.store.schema import series
from monitor.store.views.status import model_statuses
from monitor.types import PartitionKey
from monitor.units import MINUTE_MILLIS


class SteadySystem:
    """The roles of one installation as objects of one process, on one engine."""

    def __init__(self, engine: sa.Engine, *, url: str, end: int) -> None:
        self._engine = engine
        self._end, self._offset = end, 1_000_000
        self._settings = load_settings(database_url=url)
        self._evaluator = Evaluator(evaluation_rules(self._settings))
        self._maintainer = Maintainer(engine, self._settings, Health())
        self._delivery = DeliverySettings(
            engine=engine,
            owner="benchmark",
            webhook=WebhookSettings(timeout_seconds=1.0, allow_private=True, environment={}),
            jitter=lambda: 0.0,
        )
        with engine.connect() as connection:
            self._models = load_configuration(connection).models
            query = sa.select(series.c.id).where(series.c.version == "1").order_by(series.c.model_id)
            self._series = connection.execute(query).scalars().all()
        self._counts = np.ones(self._models[0].cells[0].layout.size, dtype=np.int64)

    @contextmanager
    def explained(self) -> Iterator[list[Explained]]:
        """Explain every statement that is run meanwhile."""
        with explaining(self._engine) as statements:
            yield statements

    def minute(self) -> None:
        """Count the next minute of every model, join truths, judge what is due, deliver, maintain, look at it."""
        self._flush()
        for applied in self._models:
            advance_model(self._engine, applied, self._evaluator, self._settings)
        expire_overdue_effects(self._delivery)
        endpoints_with_work(self._delivery)
        for task in ("_compact_at", "_rolling_at", "_drop_at"):  # each is due in its own time; here, every minute
            setattr(self._maintainer, task, 0.0)
        assert self._maintainer.round(stop=threading.Event())
        with self._engine.connect() as connection:
            assert len(model_statuses(connection)) == len(self._models)

    def _flush(self) -> None:
        """Write what a flush of one worker would: a pane of each model, sampled predictions, truths of others."""
        start, offset = self._end, self._offset
        panes = tuple(
            PaneDelta(
                series_id=series_id, cells_id=self._models[at].cells[0].cells_id, start=start, events=100, sampled=1,
                counts=self._counts,
            )
            for at, series_id in enumerate(self._series)
        )  # fmt: skip
        marks = tuple(
            NewMark(model_id=applied.model_id, panes=((series_id, start),))
            for applied, series_id in zip(self._models, self._series, strict=True)
        )
        key = PartitionKey("predictions", 0)
        move = PartitionMove(
            key=key, epoch=0, incarnation=0, first_offset=offset, next_offset=offset + 1000,
            max_event_time=start + 2 * MINUTE_MILLIS, caught_up=False, recent_bad=None,
            counters=PartitionCounters(records=1000, counted=1000),
        )  # fmt: skip
        hashes = [f"{offset + number:032x}" for number in range(len(self._models))]
        predictions = tuple(
            LedgerRows(
                model_id=applied.model_id, source=key, hashes=[identity], versions=["1"], series_ids=[(series_id,)],
                event_times=[start], scores=[0.5], labels=["true"], values=[None], offsets=[offset],
            )
            for applied, series_id, identity in zip(self._models, self._series, hashes, strict=True)
        )  # fmt: skip
        truths = tuple(
            InboxRow(
                model_id=applied.model_id, prediction_hash=identity, known_at=start, value="true",
                prediction_time=None, source=key, offset=offset,
            )
            for applied, identity in zip(self._models, hashes, strict=True)
        )  # fmt: skip
        seen = SeenIdentities(offsets=np.arange(offset, offset + 1000), hashes=np.arange(1000, dtype=np.uint64))
        with self._engine.begin() as connection:
            write_flush(
                connection,
                FlushContents(
                    worker="benchmark", generation=read_generation(connection), horizon=100_000, moves=(move,),
                    panes=panes, marks=marks, predictions=predictions, truths=truths, deployments=(), dead_letters=(),
                    unseen=(), intakes=(), refused=(), discovered={}, identities={key: seen},
                ),
            )  # fmt: skip
            connection.execute(
                sa.text("UPDATE input_offset SET max_event_time = :newest"), {"newest": start + 2 * MINUTE_MILLIS}
            )
        self._end, self._offset = start + MINUTE_MILLIS, offset + 1000
