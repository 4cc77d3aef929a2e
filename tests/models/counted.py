"""A small applied model and ways to write its panes, offsets, predictions and truths as ingest would."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from monitor.clock import to_datetime
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnRole
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel
from monitor.store.engine import driver_connection
from monitor.store.pane_marks import NewMark, append_marks
from monitor.store.schema import input_offset, pane
from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from tests.models.insert import insert_model

START = 1_790_000_000_000 // 604_800_000 * 604_800_000  # a multiple of every step


@dataclass(frozen=True, slots=True)
class CountedModel:
    """The applied model, its series of version 1, and what generates its counts."""

    applied: AppliedModel
    series_id: int
    columns: int
    cells: int

    def counts(self, generator: np.random.Generator, events: int) -> npt.NDArray[np.int64]:
        """Return the vector of *events* events, uniform over each column's cells."""
        vector = np.zeros(self.columns * (self.cells + SLOTS), dtype=np.int64)
        for column in range(self.columns):
            start = column * (self.cells + SLOTS)
            vector[start : start + self.cells] = np.bincount(
                generator.integers(0, self.cells, events), minlength=self.cells
            )
        return vector


def spec_text(*, columns: int, extra: str = "") -> str:
    """Return a spec of *columns* numeric columns."""
    lines = "\n".join(f"  f{index}: {{kind: numeric}}" for index in range(columns))
    return (
        "model: credit\ntask: binary_classification\nreference: reference.bin\n"
        f"columns:\n{lines}\nprediction: {{label: true}}\n{extra}"
    )


def apply_counted_model(
    engine: sa.Engine,
    *,
    columns: int = 2,
    cell_count: int = 20,
    rows: int = 20_000,
    extra: str = "",
    correct: int = 0,
    labelled: int = 0,
    truth_ages: tuple[tuple[int, int, int], ...] = (),
) -> CountedModel:
    """Apply a model whose reference is uniform over its cells."""
    layout = CellsLayout(
        columns=tuple(
            ColumnCells(
                name=f"f{index}",
                kind=ColumnKind.NUMERIC,
                role=ColumnRole.FEATURE,
                edges=tuple(float(index) for index in range(cell_count)),
                points=(False,) * cell_count,
                maximum=float(cell_count),
                far_low=-2.0 * cell_count,
                far_high=3.0 * cell_count,
            )
            for index in range(columns)
        )
    )
    column = np.concatenate([np.full(cell_count, rows // cell_count), np.zeros(SLOTS, dtype=np.int64)])
    profile = ReferenceProfile(
        layout=layout,
        rows=rows,
        counts_bytes=np.tile(column, columns).astype("<i8").tobytes(),
        columns=tuple(
            ColumnReference(name=f"f{index}", bins=tuple(cell * 10 // cell_count for cell in range(cell_count)))
            for index in range(columns)
        ),
        correct=correct,
        labelled=labelled,
        truth_ages=truth_ages,
    )
    text = spec_text(columns=columns, extra=extra)
    with engine.begin() as connection:
        applied = insert_model(connection, text, profile)
        key = SeriesKey(applied.model_id, "1")
        series_id = ensure_series(connection, {key})[key]
    return CountedModel(applied, series_id, columns, cell_count)


def write_pane(
    connection: sa.Connection,
    counted: CountedModel,
    start: int,
    counts: npt.NDArray[np.int64],
    *,
    sampled: int = 0,
    series_id: int | None = None,
) -> None:
    """Append one delta of the minute at *start* (ms)."""
    write_panes(connection, counted, [(start, counts, sampled)], series_id=series_id)


def write_panes(
    connection: sa.Connection,
    counted: CountedModel,
    deltas: Iterable[tuple[int, npt.NDArray[np.int64], int]],
    *,
    series_id: int | None = None,
) -> None:
    """Append deltas (start in ms, counts, sampled events), and their mark as a flush would."""
    of_series = counted.series_id if series_id is None else series_id
    deltas = tuple(deltas)
    rows = [
        {
            "series_id": of_series,
            "cells_id": counted.applied.cells[-1].cells_id,
            "start": start,
            "span": 1,
            "events": int(counts[: counted.cells + SLOTS].sum()),
            "sampled": sampled,
            "counts": encode_counts(counts),
        }
        for start, counts, sampled in deltas
    ]
    if rows:
        connection.execute(sa.insert(pane), rows)
        panes = [(of_series, start) for start, _, _ in deltas]
        append_marks(driver_connection(connection), [NewMark(model_id=counted.applied.model_id, panes=panes)])


def set_watermark(connection: sa.Connection, watermark: int, *, now: int) -> None:
    """Make one finished backfill partition whose watermark is *watermark* (ms)."""
    connection.execute(sa.delete(input_offset))
    connection.execute(
        sa.insert(input_offset).values(
            topic="predictions",
            partition=0,
            role="predictions",
            next_offset=1,
            max_event_time=watermark + MINUTE_MILLIS,
            caught_up_at=to_datetime(now - 3600_000),
            heartbeat_at=to_datetime(now),
        )
    )
