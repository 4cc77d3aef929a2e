"""Tables of past predictions and truths: what they become, and what is wrong with them."""

import numpy as np
import pyarrow as pa
import pytest

from consumers.decode.columns import INVALID, INVALID_NUMBER
from driftline.backtest import HistoryColumns, TruthTable, history_of, truths_of
from driftline.backtest.history import History
from monitor.errors import SpecError
from tests.models.credit import START, layout
from tests.unit.backtest.outcomes import HOUR, MINUTE, spec

COLUMNS = HistoryColumns(timestamp="at", identity="id", version="v", score="score")


def table(**changes: object) -> pa.Table:
    """Return four rows, the last of which is the earliest."""
    result: dict[str, object] = {
        "at": [START + 3 * HOUR, START + 2 * HOUR, START + 2 * HOUR, START + HOUR],
        "id": ["d", "b", "c", "a"],
        "v": ["2", "1", "1", "1"],
        "amount": [4.0, float("nan"), None, 1.0],
        "age": [40, 20, 30, 10],
        "country": ["DE", None, "AT", "CH"],
        "score": [0.4, 0.2, 1.5, 0.1],
    }
    return pa.table({name: values for name, values in {**result, **changes}.items() if values is not ...})


def read(rows: pa.Table, columns: HistoryColumns = COLUMNS) -> History:
    return history_of(rows, spec=spec(), layout=layout(), columns=columns, source="june.parquet")


def test_rows_are_put_in_order_of_time() -> None:
    """Whatever their order in the file; rows of one time keep theirs."""
    history = read(table())
    assert ((history.times - START) // HOUR).tolist() == [1, 2, 2, 3]
    assert history.ids is not None
    assert history.ids.to_pylist() == ["a", "b", "c", "d"]
    assert [history.versions[code] for code in history.version_codes.tolist()] == ["1", "1", "1", "2"]


def test_missing_and_invalid_are_distinguished() -> None:
    """As in events: null is missing, NaN and a score over 1 are invalid."""
    history = read(table())
    columns = dict(zip((name.name for name in history.names), history.columns, strict=True))
    amount = np.asarray(columns["amount"])
    assert (amount[0], amount[1], amount[3]) == (1.0, INVALID_NUMBER, 4.0)
    assert np.isnan(amount[2])
    assert list(columns["country"]) == ["CH", None, "AT", "DE"]
    assert np.asarray(columns["score"]).tolist() == [0.1, 0.2, INVALID_NUMBER, 0.4]
    assert np.isnan(np.asarray(columns["latency_ms"])).all()
    untyped = read(table(country=[1.5, float("nan"), 2.0, None]))
    assert list(dict(zip((e.name for e in untyped.names), untyped.columns, strict=True))["country"]) == [
        None,
        INVALID,
        "2",
        "1.5",
    ]


def test_every_problem_is_named_at_once() -> None:
    """Columns that are not there, and then those of another type, each with what was expected and found."""
    with pytest.raises(SpecError) as absent:
        read(table(amount=..., country=...), HistoryColumns(timestamp="when"))
    assert [problem.partition(":")[0] for problem in absent.value.problems] == [
        "column 'when'", "column 'amount'", "column 'country'", "--score",
    ]  # fmt: skip
    assert "found none" in absent.value.problems[0]
    with pytest.raises(SpecError) as wrong:
        read(table(at=[True] * 4, amount=["x"] * 4, v=["1", "1", None, "1"]))
    assert wrong.value.problems == (
        "column 'at': expected times, RFC 3339 texts or epoch milliseconds, found bool",
        "column 'v': expected a version in every row, found none in 1",
        "column 'amount': expected numbers, found string",
    )


def test_a_column_of_ids_is_none_of_versions() -> None:
    """A thousand versions would be a thousand series: most likely another column was meant."""
    many = table(**{name: table()[name].to_pylist() * 20 for name in table().column_names} | {"v": list(range(80))})
    with pytest.raises(SpecError, match="expected the model's versions, at most 50; found 80 different values"):
        read(many)


def test_chunks_hold_one_stretch_of_time_each() -> None:
    """
    ```text
    hour      1   2   2   3
    rows      0   1   2   3     chunks of an hour, at most one row each
    ```
    """
    history = read(table())
    assert list(history.chunks(minutes=60, rows=100)) == [slice(0, 1), slice(1, 3), slice(3, 4)]
    assert list(history.chunks(minutes=60, rows=1)) == [slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 4)]


def truths(rows: pa.Table, *, delay: int = 0) -> TruthTable:
    return truths_of(rows, identity="id", truth="y", known="known", delay_millis=delay, source="truths.csv")


def test_truths_come_in_the_order_in_which_they_were_known() -> None:
    """A missing truth is none; its time may be missing too. A delay moves all of them."""
    result = truths(
        pa.table({"id": [1, 2, 3], "y": [True, None, False], "known": [START + HOUR, None, START]}), delay=MINUTE
    )
    assert result.ids.to_pylist() == ["3", "1"]
    assert [result.values[code] for code in result.codes.tolist()] == ["false", "true"]
    assert result.known_at.tolist() == [START + MINUTE, START + HOUR + MINUTE]
    assert (result.known_until(START), result.known_until(START + MINUTE)) == (0, 1)
    assert list(result.moments(after=START + MINUTE, every=HOUR)) == [START + HOUR + MINUTE]
    assert list(result.moments(after=START + 2 * HOUR, every=HOUR)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"y": pa.array([None, None], pa.int64())}, "column 'y': expected truths, found none"),
        ({"known": ["soon", "later"]}, "column 'known': expected times like"),
        ({"id": ...}, "column 'id': expected one of y, known; found none"),
    ],
)
def test_truths_that_are_none_are_refused(changes: dict[str, object], problem: str) -> None:
    """No value, no time, no id: each says what was expected."""
    columns = {"id": ["a", "b"], "y": [1, 0], "known": [START, START], **changes}
    with pytest.raises(SpecError, match=problem):
        truths(pa.table({name: column for name, column in columns.items() if column is not ...}))
