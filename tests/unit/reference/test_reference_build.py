"""`driftline reference build`: a profile for a spec that is there, and an answer to every hard reference."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from driftline.cli.init import init
from driftline.cli.reference.build import build
from monitor.errors import SpecError
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import parse_spec
from monitor.spec.model import ColumnKind

START = 1_780_272_000_000
ROWS = 3000
SPEC = """
model: credit
task: binary_classification
reference: credit.reference
columns:
  amount: {kind: numeric}
  country: {kind: categorical}
prediction: {score: true}
windows: {scales: [{length: 10m, step: 1m}, {length: 1h, step: 5m}, {length: 24h, step: 2h}]}
"""

Columns = dict[str, object]
Run = Callable[..., ReferenceProfile]


def columns(rows: int = ROWS) -> Columns:
    random = np.random.default_rng(1)
    return {
        "amount": random.normal(50, 10, size=rows),
        "country": random.choice(["DE", "FR"], size=rows),
        "score": random.uniform(size=rows),
        "at": START + np.arange(rows) * 10_000,
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Build from given columns for `SPEC` (or a changed one) and return the profile that was written."""

    def _run(table: Columns, *, spec: str = SPEC, **options: object) -> ReferenceProfile:
        (tmp_path / "credit.yaml").write_text(spec)
        pyarrow.parquet.write_table(pa.table(table), tmp_path / "t.parquet")
        build(spec=tmp_path / "credit.yaml", table=tmp_path / "t.parquet", force=True, **options)  # type: ignore[arg-type]
        return decode_profile((tmp_path / "credit.reference").read_bytes(), source="test")

    return _run


def test_the_cells_are_those_of_init(run: Run, tmp_path: Path) -> None:
    """From the same table, the profile that `init` writes and the one built for its spec are equal."""
    table = columns() | {"truth": np.arange(ROWS) % 2}
    pyarrow.parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    init(reference=tmp_path / "t.parquet", model="m", score="score", timestamp="at", truth="truth", output=tmp_path)
    spec = (tmp_path / "m.yaml").read_text().replace("m.reference", "credit.reference")
    built = run(table, spec=spec, timestamp="at", truth="truth")
    assert built == decode_profile((tmp_path / "m.reference").read_bytes(), source="test")


def test_csv_and_parquet_give_the_same(run: Run, tmp_path: Path) -> None:
    """The same rows in either file: equal counts and movement."""
    from_parquet = run(columns(), timestamp="at")
    pyarrow.csv.write_csv(pa.table(columns()), tmp_path / "t.csv")
    build(spec=tmp_path / "credit.yaml", table=tmp_path / "t.csv", timestamp="at", force=True)
    from_csv = decode_profile((tmp_path / "credit.reference").read_bytes(), source="test")
    assert (from_csv.layout, from_csv.counts_bytes, from_csv.columns) == (
        from_parquet.layout,
        from_parquet.counts_bytes,
        from_parquet.columns,
    )


def test_weights_and_importance_are_in_the_profile(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Kish's rows instead of the table's, a weight of 0 left out, importance as shares; the output says so."""
    weights = np.array([0.0, *[1.0, 3.0] * 1000, *[1.0] * 999])
    profile = run(columns() | {"w": weights}, weights="w", importance=["amount=3", "country=1"])
    kish = weights.sum() ** 2 / (weights**2).sum()
    assert (profile.rows, profile.weighed_rows) == (round(kish), 2999)
    assert profile.importance == {"amount": 0.75, "country": 0.25}
    span = profile.layout.spans[1]
    assert profile.counts[span.start : span.stop].sum() == profile.rows
    printed = capsys.readouterr().out
    assert "1 rows of weight 0 were left out" in printed
    assert f"2,999 weighed rows worth {profile.rows:,}" in printed


def test_nothing_is_overwritten_without_force(run: Run, tmp_path: Path) -> None:
    """The profile in force stays until --force says otherwise."""
    run(columns())
    with pytest.raises(SpecError, match="--force overwrites it, --output names another"):
        build(spec=tmp_path / "credit.yaml", table=tmp_path / "t.parquet")


def test_json_says_what_the_text_says(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with rows, columns and remarks."""
    run(columns(), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["rows"], document["start"]) == (ROWS, None)
    assert [column["name"] for column in document["columns"]] == ["amount", "country", "prediction.score", "latency_ms"]
    assert any("no time stamps" in remark for remark in document["remarks"])


# --- hard references: each with an answer that helps


@pytest.mark.parametrize("rows", [1, 150])
def test_too_few_rows_say_how_many_are_needed_and_for_which_scale(run: Run, rows: int, tmp_path: Path) -> None:
    """Refused under min_events; the numbers are those at which the rule's threshold falls to the critical tier."""
    with pytest.raises(SpecError) as caught:
        run(columns(rows))
    result = "one row" if rows == 1 else "150 rows"
    (problem,) = caught.value.problems
    assert problem.startswith(f"expected at least 200 rows (windows.min_events), found {result}; rows that prove drift")
    assert "for 10m" in problem
    assert not (tmp_path / "credit.reference").exists()


def test_few_rows_are_a_remark(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """250 rows are taken, and it is said from which PSI on they prove anything."""
    run(columns(250))
    assert "250 rows are few: at 10m drift is proven from a PSI of 0." in capsys.readouterr().out


def test_a_constant_column_is_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Numeric and categorical: any other value will be unseen."""
    table = columns() | {"amount": np.full(ROWS, 7.0), "country": ["DE"] * ROWS}
    run(table)
    printed = capsys.readouterr().out
    assert "amount: always 7: nothing for PSI to compare; any other value will be called unseen" in printed
    assert "country: always DE: nothing for PSI" in printed


def test_a_column_that_is_nearly_constant_is_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """One value in 99.9 %: no second bin of 1 %."""
    amount = np.zeros(ROWS)
    amount[:3] = 1.0
    run(columns() | {"amount": amount})
    assert "amount: one value makes 99.9%, all others no bin of 1 %" in capsys.readouterr().out


def test_a_million_categories_are_refused_with_their_likely_cause(run: Run) -> None:
    """An identifier is named as one, with the way out."""
    rows = 1_000_000
    table = {"amount": np.ones(rows), "country": [f"user {n}" for n in range(rows)], "score": np.full(rows, 0.5)}
    with pytest.raises(SpecError) as caught:
        run(table)
    assert caught.value.problems == (
        "column 'country': expected at most 1000 categories, found 1000000 (an identifier or free text? for example "
        "'user 0'); repair it, or take it out of the spec's `columns`",
    )


def test_nan_is_invalid_and_reported(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A tenth NaN: counted as invalid as in events, and the difference to null is explained."""
    amount = np.where(np.arange(ROWS) % 10 == 0, np.nan, 1.5 + np.arange(ROWS) % 7)
    run(columns() | {"amount": pa.array(amount, from_pandas=False)})
    assert "amount: 10.00% not finite (NaN, infinity), counted as invalid" in capsys.readouterr().out


def test_mixed_types_say_how_many_and_give_an_example(run: Run) -> None:
    """A numeric column that came as text: how many are numbers, and one that is none."""
    with pytest.raises(SpecError) as caught:
        run(columns() | {"amount": [*["12.5"] * (ROWS - 2), "twelve", "n/a"]})
    assert caught.value.problems == (
        "column 'amount': expected numbers, found string: 2,998 of 3,000 texts are numbers, but 'twelve' is none "
        "(mixed types?); repair it, or take it out of the spec's `columns`",
    )


def test_init_reports_mixed_types_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Few enough to be categories, so `init` takes them, but not in silence."""
    codes = [str(number % 50) for number in range(ROWS - 1)] + ["unknown"]
    pyarrow.parquet.write_table(pa.table(columns() | {"code": codes}), tmp_path / "t.parquet")
    init(reference=tmp_path / "t.parquet", model="m", score="score", timestamp="at", output=tmp_path)
    printed = capsys.readouterr().out
    assert "code: mixed types? 50 of 51 categories are numbers, but 'unknown' is none" in printed
    spec = parse_spec((tmp_path / "m.yaml").read_text(), source="m.yaml")
    assert spec.columns["code"].kind is ColumnKind.CATEGORICAL


def test_a_column_without_values_is_refused(run: Run) -> None:
    """All missing: there is nothing to compare with."""
    with pytest.raises(SpecError) as caught:
        run(columns() | {"amount": pa.nulls(ROWS, pa.float64())})
    assert caught.value.problems == (
        "column 'amount': expected values, found none: 3000 are missing, 0 not finite; repair it, or take it out of "
        "the spec's `columns`",
    )


def test_without_time_stamps_the_output_says_what_is_not_known(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile all the same, uncalibrated, with the option that cures it."""
    assert run(columns()).block_starts == ()
    assert "no time stamps" in (printed := capsys.readouterr().out)
    assert "--timestamp" in printed


def test_an_hour_of_time_stamps_says_what_it_measures(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """6,000 rows in 59 minutes: 10 m is measured, an hour and a day are not, and how long they take is said."""
    table = columns(6000) | {"at": START + np.arange(6000) * 590}
    profile = run(table, timestamp="at")
    assert {length: profile.columns[0].movement[length].status for length in (10, 60, 1440)} == {
        10: "measured",
        60: "estimated",
        1440: "estimated",
    }
    printed = capsys.readouterr().out
    assert "It covers 59 minutes: the natural movement of columns at 1h, 24h is that of 10m" in printed
    assert "6.0 hours for 1h" in printed


def test_repeated_rows_count_once_by_their_id(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Exported twice, each id counts once; without ids equal rows are reported, and counted."""
    once = pa.table(columns() | {"id": np.arange(ROWS)})
    twice = pa.concat_tables([once, once])
    table = {name: twice[name] for name in twice.column_names}
    assert run(table, identity="id", timestamp="at").rows == ROWS
    assert "3,000 rows repeat the id of an earlier one and were left out" in capsys.readouterr().out
    assert run(table, timestamp="at").rows == 2 * ROWS
    assert "3,000 of 6,000 rows are equal to another in every column" in capsys.readouterr().out


def test_columns_that_are_not_there_are_all_named(run: Run) -> None:
    """A feature, the prediction and a time that the table lacks are three lines."""
    table = columns()
    del table["country"], table["score"]
    with pytest.raises(SpecError) as caught:
        run(table, timestamp="when")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "--score",
        "column 'country'",
        "column 'when'",
    ]


def test_a_part_of_the_prediction_that_the_spec_lacks_is_refused(run: Run) -> None:
    """--label for a spec without labels is a mistake, not a feature."""
    with pytest.raises(SpecError, match=r"--label country: expected none, for the spec says prediction.label: false"):
        run(columns(), label="country")
