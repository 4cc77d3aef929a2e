"""Rows of a table become events in order of time."""

import json

import numpy as np
import pyarrow as pa
import pytest

from driftline.replay.events import (
    ReplayColumns,
    ReplayTarget,
    event_times,
    in_event_time,
    prediction_records,
    require_columns,
    truth_records,
)
from monitor.errors import SpecError
from monitor.types import ModelKey, TopicRole

MODEL = ModelKey("default", "credit")
TABLE = pa.table(
    {
        "id": ["c", "a", "b"],
        "amount": [3.0, float("nan"), None],
        "country": ["DE", "AT", None],
        "region": ["eu", "us", None],
        "p": [0.3, 0.1, 0.2],
        "y": ["1", None, "0"],
    }
)
COLUMNS = ReplayColumns(
    identity="id", features=("amount", "country"), score="p", truth="y", tags=(("region", "region"),)
)


def test_events_come_in_order_of_time_and_truths_after_their_delay() -> None:
    """
    ```text
    time      0   1   2   3 ...  11  12
    row           1   2   0
    truth                        2    0        (row 1 has none)
    ```
    """
    times = np.array([3, 1, 2], dtype=np.int64)
    predictions = prediction_records(
        TABLE, times=times, columns=COLUMNS, replayed=ReplayTarget(model=MODEL, version="7")
    )
    truths = truth_records(TABLE["id"].to_pylist(), TABLE["y"].to_pylist(), times=times, delay=10, model=MODEL)
    records = list(in_event_time(predictions, truths))
    assert [(record.at, record.role, record.key) for record in records] == [
        (1, TopicRole.PREDICTIONS, "a"),
        (2, TopicRole.PREDICTIONS, "b"),
        (3, TopicRole.PREDICTIONS, "c"),
        (12, TopicRole.TRUTHS, "b"),
        (13, TopicRole.TRUTHS, "c"),
    ]
    assert json.loads(records[0].value) == {
        "prediction_id": "a",
        "namespace": "default",
        "model": "credit",
        "version": "7",
        "timestamp": "1970-01-01T00:00:00.001Z",
        "features": {"amount": None, "country": "AT"},
        "prediction": {"score": 0.1},
        "tags": {"region": "us"},
    }
    assert json.loads(records[3].value)["truth"] == "0"
    assert json.loads(records[3].value)["timestamp"] == "1970-01-01T00:00:00.012Z"


def test_times_come_from_a_column_or_from_start_and_every() -> None:
    """A column of time stamps, or row i at start + i * every; both or neither is refused."""
    times = [1_780_272_000_005, 1_780_272_000_006, 1_780_272_000_007]
    stamped = TABLE.append_column("at", pa.array(times, pa.timestamp("ms", tz="UTC")))
    assert event_times(stamped, timestamp="at", start=None, every=None, source="x").tolist() == times
    assert event_times(TABLE, timestamp=None, start=100, every=10, source="x").tolist() == [100, 110, 120]
    for timestamp, start, every in ((None, None, None), ("at", 0, 1), (None, 5, None)):
        with pytest.raises(SpecError, match="expected --timestamp COL, or --start and --every"):
            event_times(stamped, timestamp=timestamp, start=start, every=every, source="x")


def test_every_missing_column_is_named_at_once() -> None:
    """The refusal lists each column that is not there."""
    with pytest.raises(SpecError) as refused:
        require_columns(TABLE, ("id", "income", "age"), source="x.parquet")
    assert len(refused.value.problems) == 2
