"""A flush by a worker that remembers a series which is not there any more."""

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consumers.flush import Flusher
from consumers.pending_counts import OpenPane, PendingCounts
from monitor.errors import ConfigurationChanged, RefusedByDatabaseError
from monitor.store.configuration import read_generation
from monitor.store.schema import configuration, pane, series
from monitor.types import SeriesKey
from tests.models.counted import START, CountedModel, apply_counted_model


@pytest.fixture
def counted(engine: Engine) -> CountedModel:
    return apply_counted_model(engine)


def batch(counted: CountedModel) -> PendingCounts:
    """Return one event of version 7, counted under the model's cells."""
    cells = counted.applied.cells[0]
    key = (SeriesKey(counted.applied.model_id, "7"), cells.cells_id, START)
    counts = np.zeros(cells.layout.size, dtype=np.uint32)
    return PendingCounts(events=1, panes={key: OpenPane(counts=counts, events=1)})


def forget_series(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(pane))
        connection.execute(sa.delete(series).where(series.c.version == "7"))


def test_a_series_that_was_removed_is_made_again(engine: Engine, counted: CountedModel) -> None:
    """Its retention ended while the worker ran; an event of it comes back, and is counted once."""
    flusher = Flusher(engine, worker="test", horizon=10)
    flusher.flush(batch(counted), [], generation=1)
    forget_series(engine)
    flusher.flush(batch(counted), [], generation=1)
    with engine.connect() as connection:
        query = sa.select(series.c.version, pane.c.events).join(pane, pane.c.series_id == series.c.id)
        assert [tuple(row) for row in connection.execute(query)] == [("7", 1)]


def test_a_model_that_was_removed_is_counted_no_more(engine: Engine, counted: CountedModel) -> None:
    """The generation moved with the removal: the batch is counted again under what is applied, not retried for ever."""
    flusher = Flusher(engine, worker="test", horizon=10)
    flusher.flush(batch(counted), [], generation=1)
    forget_series(engine)
    with engine.begin() as connection:
        connection.execute(sa.update(configuration).values(generation=2))
        connection.execute(sa.text("DELETE FROM series"))
        for table in ("spec", "reference", "cells", "model"):
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608  # constants
    with pytest.raises(ConfigurationChanged, match="counted under generation 1, found 2"):
        flusher.flush(batch(counted), [], generation=1)


def test_a_refusal_that_comes_again_is_not_retried(engine: Engine, counted: CountedModel) -> None:
    """Cells that are not there: the error says that the database refuses the batch."""
    flusher = Flusher(engine, worker="test", horizon=10)
    ((key, open_pane),) = batch(counted).panes.items()
    stranger = PendingCounts(events=1, panes={(key[0], 99, key[2]): open_pane})
    with engine.connect() as connection:
        assert read_generation(connection) == 1
    with pytest.raises(RefusedByDatabaseError, match="23503"):
        flusher.flush(stranger, [], generation=1)
