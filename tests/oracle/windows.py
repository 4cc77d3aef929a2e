"""What the evaluations must say: the recounted panes judged once, calmly, in a copy of the database.

The copy keeps the configuration and the ids of series, and nothing else that was computed: its panes are the oracle's,
its windows are judged by one evaluator in one go. Whatever order, restarts or revisions the live alerter went through,
the last revision of each window must be the same.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from monitor.evaluate import Evaluator, evaluation_rules
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.engine import make_engine
from monitor.store.incidents import lock_model
from monitor.store.schema import (
    cells,
    configuration,
    deployment,
    input_offset,
    metadata,
    model,
    pane,
    reference,
    series,
    spec,
)
from monitor.windows.pane_codec import encode_counts
from tests.oracle.panes import Counted
from tests.oracle.stored import FinalEvaluation, final_evaluations
from tests.services.databases import fresh_database
from tests.services.postgres import PostgresServer

KEPT = (configuration, model, spec, cells, reference, series, input_offset, deployment)  # who is new warms up
WindowKey = tuple[str, str, str, str, int, int]
"""Model, version, segment tag and value, length (minutes), end (ms)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindows:
    """The last revision of each window: events, verdict and the stored result, by window."""

    windows: dict[WindowKey, tuple[int, str, str]]


def rejudge(
    server: PostgresServer, database: str, counted: Counted, settings: Settings, *, models: Collection[str]
) -> JudgedWindows:
    """Return every window of *models* in *counted* (panes of one minute) up to the newest event less the disorder.

    Nobody may be connected to *database*, which is copied.
    """
    with fresh_database(server, template=database) as url:
        engine = make_engine(url)
        try:
            with engine.begin() as connection:
                _forget(connection)
                chosen = [applied for applied in load_configuration(connection).models if applied.key.name in models]
                _write_panes(connection, counted, {applied.model_id for applied in chosen})
            newest = [partition["max_event_time"] for partition in counted.partitions.values()]
            until = max(at for at in newest if at is not None) - settings.disorder_seconds * 1000
            for applied in chosen:
                judge(engine, applied, settings)
            return judged_windows(engine, until=until, models=models)
        finally:
            engine.dispose()


def judged_windows(engine: sa.Engine, *, until: int, models: Collection[str]) -> JudgedWindows:
    """Return the last revision of every stored window of *models* that ends up to *until* (ms)."""
    judged: dict[WindowKey, tuple[int, str, str]] = {}
    with engine.connect() as connection:
        for applied in load_configuration(connection).models:
            for window in final_evaluations(connection, applied.model_id):
                if window.window_end <= until and applied.key.name in models:
                    judged[_key(applied, window)] = (window.events, window.verdict.value, window.result)
    return JudgedWindows(windows=judged)


def judge(engine: sa.Engine, applied: AppliedModel, settings: Settings) -> None:
    """Judge every window of *applied* that is due now, as an alerter does."""
    evaluator = Evaluator(evaluation_rules(settings))
    more = True
    while more:
        with engine.begin() as connection:
            assert lock_model(connection, applied.model_id)
            now = time.time_ns() // 1_000_000
            more = evaluator.evaluate_model(connection, applied, now_millis=now, limit_ends=500).more


def _key(applied: AppliedModel, window: FinalEvaluation) -> WindowKey:
    return (
        str(applied.key),
        window.version,
        window.segment_tag,
        window.segment_value,
        window.length,
        window.window_end,
    )


def _forget(connection: sa.Connection) -> None:
    kept = {table.name for table in KEPT}
    names = ", ".join(table.name for table in metadata.sorted_tables if table.name not in kept)
    connection.execute(sa.text(f"TRUNCATE {names} CASCADE"))
    # Nobody reads in the copy: every partition says that it was read to its end, up to the newest event of all.
    newest = sa.select(sa.func.max(input_offset.c.max_event_time)).where(input_offset.c.role == "predictions")
    now = sa.func.clock_timestamp()
    connection.execute(
        sa.update(input_offset).values(
            confirmed_event_time=newest.scalar_subquery(), caught_up_at=now, heartbeat_at=now, paused_reason=None
        )
    )


def _write_panes(connection: sa.Connection, counted: Counted, model_ids: Collection[int]) -> None:
    ids = {
        (row.model_id, row.version, row.segment_tag, row.segment_value): row.id
        for row in connection.execute(sa.select(series))
    }
    sizes = {
        cells.cells_id: cells.layout.size
        for applied in load_configuration(connection).models
        for cells in applied.cells
    }
    rows = []
    for (model_id, version, tag, value, cells_id, start), counts in sorted(counted.panes.items()):
        if model_id not in model_ids:
            continue
        vector = np.zeros(sizes[cells_id], dtype=np.int64)
        for place, hits in counts.items():
            if isinstance(place, int):
                vector[place] = hits
        rows.append(
            {
                "series_id": ids[model_id, version, tag, value],
                "cells_id": cells_id,
                "start": start,
                "span": 1,
                "events": counts["events"],
                "sampled": counts["sampled"],
                "counts": encode_counts(vector),
            }
        )
    if rows:
        connection.execute(sa.insert(pane), rows)
