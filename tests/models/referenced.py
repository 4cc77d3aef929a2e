"""A small model applied with a real reference, and panes that are sampled from given values on its cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from monitor.evaluate import EvaluationRules, Evaluator
from monitor.reference.arrow_columns import NumericColumn
from monitor.reference.build import build_profile
from monitor.reference.counting import counts_on_cells, numeric_places
from monitor.reference.description import TableColumns, spec_description
from monitor.reference.layout import SLOTS, CellsLayout
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.incidents import lock_model
from monitor.store.schema import pane
from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import START, set_watermark
from tests.models.insert import insert_model

NOW = START + 10**10
WATERMARKS = WatermarkRules(allowed_lateness=5 * MINUTE_MILLIS)
SPEC = """
model: credit
task: regression
reference: credit.reference
columns:
  x: {kind: numeric}
prediction: {value: true}
windows: {min_events: 100, scales: [{length: 10m, step: 1m}, {length: 1h, step: 5m}]}
"""


@dataclass(frozen=True, slots=True)
class ReferencedModel:
    """The model's id and its series of version 1, over all segments."""

    model_id: int
    series_id: int

    def applied(self, engine: sa.Engine) -> AppliedModel:
        with engine.connect() as connection:
            return next(model for model in load_configuration(connection).models if model.model_id == self.model_id)


def profile_of(
    values: npt.NDArray[np.float64], *, text: str = SPEC, every: int | None = None, source: str = "test"
) -> ReferenceProfile:
    """Return a reference whose feature and prediction are both *values*; *every*: ms between two rows."""
    spec = parse_spec(text, source="test")
    columns: dict[str, npt.NDArray[Any]] = {"x": values, "value": values}
    if every is not None:
        columns["at"] = START - (len(values) - np.arange(len(values))) * every
    table = pa.table(columns)
    description, problems = spec_description(
        spec, TableColumns(timestamp=None if every is None else "at"), known=tuple(table.column_names)
    )
    assert problems == ()
    return build_profile(table, description=description, source=source)


def apply_referenced_model(engine: sa.Engine, profile: ReferenceProfile, *, text: str = SPEC) -> ReferencedModel:
    with engine.begin() as connection:
        applied = insert_model(connection, text, profile)
        key = SeriesKey(applied.model_id, "1")
        return ReferencedModel(applied.model_id, ensure_series(connection, {key})[key])


def counts_of(layout: CellsLayout, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the vector of events whose feature and prediction are both *values*, without latency."""
    nowhere = np.zeros(values.size, dtype=np.bool_)
    numbers = NumericColumn(values, np.isnan(values), nowhere)
    parts = [counts_on_cells(column, numeric_places(column, numbers)) for column in layout.columns[:-1]]
    return np.concatenate([*parts, np.zeros(layout.columns[-1].cells + SLOTS, dtype=np.int64)])


def write_panes(
    connection: sa.Connection,
    *,
    series_id: int,
    cells_id: int,
    layout: CellsLayout,
    panes: Iterable[tuple[int, npt.NDArray[np.float64]]],
) -> None:
    """Append one delta for each (start in ms, values)."""
    rows = [
        {
            "series_id": series_id,
            "cells_id": cells_id,
            "start": start,
            "span": 1,
            "events": len(values),
            "sampled": 0,
            "counts": encode_counts(counts_of(layout, values)),
        }
        for start, values in panes
    ]
    connection.execute(sa.insert(pane), rows)


def evaluate_until(engine: sa.Engine, model: ReferencedModel, minute: int, evaluator: Evaluator) -> None:
    """Judge every window that ends up to *minute* (after START) under the configuration that is in force now."""
    with engine.begin() as connection:
        set_watermark(connection, START + minute * MINUTE_MILLIS, now=NOW)
    applied, more = model.applied(engine), True
    while more:
        with engine.begin() as connection:
            assert lock_model(connection, model.model_id)
            more = evaluator.evaluate_model(connection, applied, now_millis=NOW).more


def evaluator() -> Evaluator:
    return Evaluator(EvaluationRules(watermark=WATERMARKS, revision_seconds=0))
