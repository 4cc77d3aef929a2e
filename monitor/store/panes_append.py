"""Appends pane deltas: one row per (series, pane) and flush, never an update."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg

from monitor.windows.pane_codec import encode_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneDelta:
    """What one flush adds to the minute at *start* (ms) of one series; *counts* in the order of its cells' layout."""

    series_id: int
    cells_id: int
    start: int
    events: int
    sampled: int
    counts: npt.NDArray[np.integer]


def append_panes(connection: psycopg.Connection, deltas: Iterable[PaneDelta]) -> None:
    """COPY *deltas* as rows of one minute."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY pane (series_id, cells_id, start, span, events, sampled, counts) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int4", "int4", "int8", "int2", "int8", "int8", "bytea"])
        for each in deltas:
            copy.write_row(
                (each.series_id, each.cells_id, each.start, 1, each.events, each.sampled, encode_counts(each.counts))
            )
