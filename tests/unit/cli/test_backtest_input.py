"""How `driftline backtest` refuses files and options that cannot be used, before anything is started."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftline.cli.backtest import backtest
from driftline.cli.backtest_input import BacktestInput, BacktestRequest, TruthOptions, read_input
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.init import init
from monitor.errors import DriftlineError, SpecError

START, ROWS, HOUR = 1_780_272_000_000, 3000, 3_600_000
OLD = START - 1000 * HOUR


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec, its reference and 50 hours of history, one row a minute."""
    path = tmp_path_factory.mktemp("backtest")
    random = np.random.default_rng(5)

    def table(start: int) -> pa.Table:
        return pa.table(
            {
                "at": pa.array(start + np.arange(ROWS) * 60_000, pa.timestamp("ms", tz="UTC")),
                "id": np.arange(ROWS),
                "income": random.lognormal(10, 1, size=ROWS),
                "score": random.uniform(size=ROWS),
                "y": random.integers(0, 2, size=ROWS),
            }
        )

    pq.write_table(table(OLD), path / "reference.parquet")
    pq.write_table(table(START), path / "june.parquet")
    init(
        reference=path / "reference.parquet", model="credit", score="score", truth="y", timestamp="at", identity="id",
        scales="10m/1m,4h/20m", output=path / "credit.yaml", as_json=True,
    )  # fmt: skip
    return path


def read(folder: Path, **changes: object) -> BacktestInput:
    known = {"spec": folder / "credit.yaml", "data": folder / "june.parquet", "timestamp": "at"}
    return read_input(BacktestRequest(**{**known, **changes}))  # type: ignore[arg-type]


def written(folder: Path, name: str, **changes: object) -> Path:
    """Write the history with other columns; ... leaves one out."""
    result: dict[str, object] = dict(zip(*_columns(folder), strict=True))
    result |= changes
    pq.write_table(pa.table({column: values for column, values in result.items() if values is not ...}), folder / name)
    return folder / name


def _columns(folder: Path) -> tuple[list[str], list[pa.ChunkedArray]]:
    table = pq.read_table(folder / "june.parquet")
    return table.column_names, table.columns


def test_the_only_column_of_times_is_taken(folder: Path) -> None:
    """No --timestamp is needed where there is no choice; with two, both are named."""
    assert read(folder, timestamp=None).timestamp == "at"
    two = written(folder, "two.parquet", booked=pq.read_table(folder / "june.parquet")["at"])
    with pytest.raises(WrongUseError, match="--timestamp: expected the column with the event times, found at, booked"):
        read(folder, timestamp=None, data=two)
    none = written(folder, "none.parquet", at=np.arange(ROWS) + START)
    with pytest.raises(WrongUseError, match="found no column of times among"):
        read(folder, timestamp=None, data=none)


def test_a_part_of_the_table_is_chosen_by_time(folder: Path) -> None:
    """--from is in, --to is out; a day is its midnight."""
    history = read(folder, start="2026-06-01T10:00:00Z", stop="2026-06-02").history
    assert (int(history.times[0]), int(history.times[-1])) == (START + 10 * HOUR, START + 24 * HOUR - 60_000)


def test_a_table_in_the_place_of_the_spec_is_refused(folder: Path) -> None:
    table = written(folder, "table.parquet", at=np.arange(ROWS) + START)
    with pytest.raises(DriftlineError, match="expected a YAML file in UTF-8, found: another kind of file"):
        read(folder, spec=table)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": Path("nowhere.parquet")}, "expected a Parquet or CSV file, found no file"),
        ({"spec": Path("nowhere.yaml")}, "expected a YAML file in UTF-8, found: No such file"),
        ({"timestamp": "when"}, "column 'when': expected one of at, id, income, score, y; found none"),
        (
            {"timestamp": "income"},
            "column 'income': expected times, RFC 3339 texts or epoch milliseconds, found double",
        ),
        ({"score": "income"}, "column 'income': expected scores between 0 and 1, found"),
        ({"version": "3"}, "column '3': expected one of"),
        ({"version": "income"}, "expected the model's versions, at most 50; found 3,000 different values"),
        ({"label": "y"}, "--label y: expected none, for the spec says prediction.label: false"),
        ({"start": "2027-01-01"}, "--from 2027-01-01: expected some of the rows, found none: they go from 2026-06-01"),
        ({"start": "yesterday"}, "--from: expected a time like 2026-06-01T00:00:00Z or a day, found 'yesterday'"),
        ({"stop": "2026-06-01T10:00"}, "--to: expected a time with its zone"),
        ({"stop": "2026-06-01T00:05:00Z"}, "expected at least 10m of history, the shortest window of the spec"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(folder: Path, changes: dict[str, object], message: str) -> None:
    """Each says what was expected and what was found."""
    with pytest.raises(DriftlineError, match=message):
        read(folder, **changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": Path("t.parquet")}, "--truths: expected --truth COLUMN with it"),
        ({"delay": "2d"}, "--truth-delay: expected --truth COLUMN with it"),
        ({"truth": "y"}, "or --truth-delay 2d .*, found neither"),
        ({"truth": "y", "delay": "2d", "known": "at"}, "found both"),
        ({"truth": "y", "delay": "soon"}, "--truth-delay: expected a duration like"),
        ({"truth": "z", "delay": "2d"}, "column 'z': expected one of"),
    ],
)
def test_options_of_truths_belong_together(folder: Path, options: dict[str, object], message: str) -> None:
    """A truth needs its column and when it was known, one way."""
    with pytest.raises(DriftlineError, match=message):
        read(folder, identity="id", truths=TruthOptions(**options))  # type: ignore[arg-type]


def test_truths_need_ids(folder: Path) -> None:
    """Without --id no truth finds its prediction."""
    with pytest.raises(WrongUseError, match="--truth: expected --id COLUMN"):
        read(folder, truths=TruthOptions(truth="y", delay="2d"))


def test_truths_of_another_file_take_their_predictions_times(folder: Path) -> None:
    """Matched by id, in any order and spelling of types; those without a prediction are left out."""
    pq.write_table(pa.table({"id": ["7", "3", "x"], "y": [1, 0, 1]}), folder / "truths.parquet")
    options = TruthOptions(file=folder / "truths.parquet", truth="y", delay="2h")
    truths = read(folder, identity="id", truths=options).truths
    assert truths is not None
    assert truths.ids.to_pylist() == ["3", "7"]
    assert truths.known_at.tolist() == [START + 2 * HOUR + 3 * 60_000, START + 2 * HOUR + 7 * 60_000]
    pq.write_table(pa.table({"id": ["p-1"], "y": [1]}), folder / "strangers.parquet")
    strangers = TruthOptions(file=folder / "strangers.parquet", truth="y", delay="2h")
    with pytest.raises(SpecError, match="expected ids of predictions, as '0'; found none, the first is 'p-1'"):
        read(folder, identity="id", truths=strangers)


def test_results_never_go_over_their_inputs(folder: Path) -> None:
    """--out and --html name new places, each its own, in directories that are there."""
    spec, data = folder / "credit.yaml", folder / "june.parquet"
    mistakes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"out": data}, "expected a file to write to, found an input"),
        ({"html": folder}, "expected a file to write to, found a directory"),
        ({"html": folder / "no" / "page.html"}, "expected a directory to write into, found none"),
        ({"html": folder / "x", "out": folder / "x"}, "--html and --out: expected two files"),
    )
    for options, message in mistakes:
        with pytest.raises(WrongUseError, match=message):
            backtest(spec, data=data, **options)
