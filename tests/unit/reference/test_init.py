"""`driftline init`: what it proposes, writes and refuses."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner

from driftline.cli.init import init
from driftline.cli.profile_report import print_profile
from monitor.errors import SpecError
from monitor.reference.checks import disagreements, uncalibrated_lengths
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import read_spec
from monitor.spec.model import ColumnKind, ModelSpec, Task
from monitor.stats.proportions import wilson_interval
from monitor.truth_age import AgeBucket

ROWS = 4000
START = 1_780_272_000_000


def _table() -> dict[str, object]:
    random = np.random.default_rng(7)
    score = random.uniform(size=ROWS)
    return {
        "id": np.arange(ROWS),
        "at": pa.array(START + np.arange(ROWS) * 60_000, pa.timestamp("ms", tz="UTC")),
        "income": random.lognormal(10, 1, size=ROWS),
        "children": random.integers(0, 5, size=ROWS),
        "country": random.choice(["DE", "FR", "no"], size=ROWS),
        "member": random.uniform(size=ROWS) < 0.5,
        "unit": np.full(ROWS, 100),
        "score": score,
        "truth": random.uniform(size=ROWS) < score,
    }


def _init(
    directory: Path, *options: str, columns: Mapping[str, object] | None = None
) -> tuple[ModelSpec, ReferenceProfile]:
    """Run the command on a table with *columns* and return what it wrote."""
    pyarrow.parquet.write_table(pa.table(columns or _table()), directory / "past.parquet")
    app = typer.Typer()
    app.command()(init)
    output = directory / "m.yaml"
    if "--timestamp" not in options and "--ignore" not in options and "at" in (columns or _table()):
        options = (*options, "--ignore", "at")
    fixed = ["--reference", str(directory / "past.parquet"), "--model", "m", "--output", str(output), "--force"]
    result = CliRunner().invoke(app, [*fixed, *options])
    if result.exception is not None:
        raise result.exception
    profile = decode_profile(output.with_suffix(".reference").read_bytes(), source="m.reference")
    return read_spec(output), profile


def test_a_binary_model_is_recognised(tmp_path: Path) -> None:
    """Task, kinds, prediction and classes follow from the table; spec and profile agree."""
    spec, profile = _init(tmp_path, "--score", "score", "--truth", "truth", "--timestamp", "at")
    assert (spec.task, spec.truth.positive, spec.truth.negative) == (Task.BINARY, "true", "false")
    assert {name: column.kind for name, column in spec.columns.items()} == {
        "income": ColumnKind.NUMERIC,
        "children": ColumnKind.NUMERIC,
        "country": ColumnKind.CATEGORICAL,
        "member": ColumnKind.CATEGORICAL,
        "unit": ColumnKind.CATEGORICAL,  # constant: any other value is unseen
    }
    assert (spec.prediction.score, spec.prediction.label, spec.prediction.value) == (True, False, False)
    assert disagreements(spec, profile) == ()
    assert uncalibrated_lengths(spec, profile) == (10, 30)  # an event a minute: under 50 in a block


def test_a_regression_and_a_multiclass_model_are_recognised(tmp_path: Path) -> None:
    """A value makes a regression, three labels a multiclass task."""
    assert _init(tmp_path, "--value", "income", "--truth", "score")[0].task is Task.REGRESSION
    assert _init(tmp_path, "--label", "country")[0].task is Task.MULTICLASS


def test_what_is_written_is_what_leaving_it_out_means(tmp_path: Path) -> None:
    """Windows, drift and accuracy are the defaults."""
    written = _init(tmp_path, "--score", "score", "--truth", "truth")[0]
    for part in ("windows", "drift", "accuracy"):
        assert getattr(written, part) == ModelSpec.model_fields[part].get_default(call_default_factory=True)


def test_columns_with_awkward_names_are_watched(tmp_path: Path) -> None:
    """A column `no`, one with a colon and one with a space come back under their names."""
    columns = {"no": [1.0, 2.0] * 100, "a: b": [1.0, 2.0] * 100, "x y": [1.0, 2.0] * 100, "p": [0.1, 0.9] * 100}
    assert list(_init(tmp_path, "--score", "p", columns=columns)[0].columns) == ["no", "a: b", "x y"]


def test_options_say_what_the_table_cannot(tmp_path: Path) -> None:
    """Codes, ignored columns, scales, segments, sampling, namespace and the positive class by option."""
    spec, profile = _init(
        tmp_path, "--label", "member", "--truth", "truth", "--categorical", "children", "--ignore", "at,unit",
        "--scales", "1h/5m, 2d/1h", "--segment", "region:country", "--sample-rate", "0.25", "--namespace", "eu/prod",
        "--positive", "false",
    )  # fmt: skip
    assert spec.columns["children"].kind is ColumnKind.CATEGORICAL
    assert profile.layout.columns[1].categories == ("0", "1", "2", "3", "4")
    assert "unit" not in spec.columns
    assert [scale.length for scale in spec.scales] == [60, 2880]
    assert spec.segments[0].tag == "region"
    assert sorted(spec.segments[0].values) == ["DE", "FR", "no"]
    assert (spec.sample_rate, spec.namespace) == (0.25, "eu/prod")
    assert (spec.truth.positive, spec.truth.negative) == ("false", "true")


def test_the_ledger_stays_under_a_million_rows_a_day(tmp_path: Path) -> None:
    """Half a million rows in 83 minutes are 8.6 million a day: sampled; 4,000 in three days are all kept."""
    many = {"at": START + np.arange(500_000) * 10, "score": np.full(500_000, 0.5)}
    fast = _init(tmp_path, "--score", "score", "--timestamp", "at", columns=many)[0].sample_rate
    assert 0.9e6 < fast * 8_640_000 <= 1e6
    assert _init(tmp_path, "--score", "score", "--timestamp", "at")[0].sample_rate == 1.0


def test_a_time_that_was_not_named_is_recognised(tmp_path: Path) -> None:
    """The refusal of a time column as a feature names the option it belongs to."""
    with pytest.raises(SpecError, match="name it with --timestamp at, or leave it out with --ignore at"):
        _init(tmp_path, "--score", "score", "--ignore", "unit")


def test_faults_are_refused_together_or_dropped_by_name(tmp_path: Path) -> None:
    """Three columns that cannot be counted are three problems; with --drop they are left out, and said so."""
    columns = _table() | {
        "note": [f"text {n}" for n in range(ROWS)],
        "empty": pa.nulls(ROWS),
        "tags": [[1]] * ROWS,
    }
    with pytest.raises(SpecError) as caught:
        _init(tmp_path, "--score", "score", "--ignore", "at", columns=columns)
    assert [problem.split("'")[1] for problem in caught.value.problems] == ["note", "empty", "tags"]
    assert all("--ignore" in problem for problem in caught.value.problems)
    spec, _ = _init(tmp_path, "--score", "score", "--ignore", "at", "--drop", columns=columns)
    assert set(spec.columns) == {"income", "children", "country", "member", "unit", "truth"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "expected --score, --label or --value to name the prediction"),
        (("--score", "scor"), "column 'scor': expected one of id, at, income"),
        (("--score", "income"), "column 'income': expected scores between 0 and 1"),
        (("--score", "score", "--truth", "truth", "--positive", "yes"), "--positive yes: expected one of false, true"),
        (("--label", "country", "--task", "binary_classification"), "expected two classes, found 3"),
        (("--score", "score", "--scales", "10m/3m"), "--scales 10m/3m: step: expected whole minutes"),
        (
            ("--score", "score", "--timestamp", "unit", "--ignore", "at"),
            "column 'unit': expected epoch milliseconds, found 100",
        ),
    ],
)
def test_what_cannot_be_guessed_is_asked_for(tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    """Each refusal names the option or column, what was expected and what was found."""
    with pytest.raises(SpecError) as caught:
        _init(tmp_path, *options)
    assert problem in str(caught.value)


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    """A second run names both files that are there; the first run's files stay as they are."""
    _init(tmp_path, "--score", "score")
    before = (tmp_path / "m.yaml").read_bytes()
    with pytest.raises(SpecError, match=r"m\.yaml: expected no such file.*\n.*m\.reference: expected no such file"):
        init(reference=tmp_path / "past.parquet", model="m", label="country", output=tmp_path / "m.yaml")
    assert (tmp_path / "m.yaml").read_bytes() == before


def test_the_same_table_writes_the_same_files(tmp_path: Path) -> None:
    """Two runs give equal bytes of both files."""
    written = []
    for _ in range(2):
        _init(tmp_path, "--score", "score", "--truth", "truth", "--timestamp", "at")
        written.append(((tmp_path / "m.yaml").read_bytes(), (tmp_path / "m.reference").read_bytes()))
    assert written[0] == written[1]


def test_json_names_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document: the two files, the columns with their cells, the notes."""
    pyarrow.parquet.write_table(pa.table(_table()), tmp_path / "past.parquet")
    init(reference=tmp_path / "past.parquet", model="a/b", score="score", ignore=["at"], output=tmp_path, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert Path(document["spec"]) == tmp_path / "a_b.yaml"
    assert Path(document["reference"]).is_file()
    latency = {"name": "latency_ms", "kind": "numeric", "role": "latency", "cells": 120}
    assert document["columns"][-1] == {**latency, "missing": None, "importance": None}
    assert any(note.startswith("id: taken for the prediction id") for note in document["notes"])


@pytest.mark.parametrize(
    ("name", "truth", "advice"),
    [
        ("label", None, "name it with --label label or --truth label, or leave it out with --ignore label"),
        ("label", "truth", "name it with --label label, or leave it out with --ignore label"),
        ("Prediction", None, "name it with --label Prediction, or leave it out with --ignore Prediction"),
        ("probability", None, "came true, leave it out with --ignore probability"),  # --score names another column
        ("target", None, "name it with --truth target, or leave it out with --ignore target"),
    ],
)
def test_a_feature_with_the_name_of_a_prediction_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, truth: str | None, advice: str
) -> None:
    """It would be missing in every event: the note says which option it may belong to, of those that are free."""
    pyarrow.parquet.write_table(pa.table(_table() | {name: _table()["member"]}), tmp_path / "past.parquet")
    init(
        reference=tmp_path / "past.parquet",
        model="m",
        score="score",
        truth=truth,
        ignore=["at", "truth"] if truth is None else ["at"],
        output=tmp_path,
        as_json=True,
    )
    (note,) = [note for note in json.loads(capsys.readouterr().out)["notes"] if note.startswith(f"{name}: ")]
    assert note.startswith(f"{name}: taken for a feature, so every event has to carry it in `features`; ")
    assert note.endswith(advice)


def test_a_prediction_that_is_named_is_not_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of a column that an option names or leaves out, whatever its name."""
    columns = _table() | {"label": _table()["member"], "target": _table()["member"]}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "past.parquet")
    init(
        reference=tmp_path / "past.parquet",
        model="m",
        score="score",
        label="label",
        truth="target",
        ignore=["at", "truth"],
        output=tmp_path,
        as_json=True,
    )
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert not [note for note in notes if "taken for a feature" in note]


def test_the_schema_line_appears_where_the_schema_is(tmp_path: Path) -> None:
    """Editors are pointed at spec.schema.json next to the spec, and at nothing that is not there."""
    _init(tmp_path, "--score", "score")
    assert "$schema" not in (tmp_path / "m.yaml").read_text()
    (tmp_path / "spec.schema.json").write_text("{}")
    _init(tmp_path, "--score", "score")
    assert (tmp_path / "m.yaml").read_text().startswith("# yaml-language-server: $schema=spec.schema.json\n")


def test_hours_are_those_of_the_time_zone(tmp_path: Path) -> None:
    """`--timezone` counts the reference's hours there and says so in the spec; a name that is no zone's is refused."""
    columns = _table() | {"at": pa.array(START + np.arange(ROWS) * 6 * 60_000, pa.timestamp("ms", tz="UTC"))}
    options = ("--score", "score", "--truth", "truth", "--timestamp", "at", "--timezone")
    spec, profile = _init(tmp_path, *options, "Asia/Tokyo", columns=columns)
    assert (spec.drift.timezone, profile.timezone) == ("Asia/Tokyo", "Asia/Tokyo")
    assert disagreements(spec, profile) == ()
    with pytest.raises(SpecError, match="found 'CEST'"):
        _init(tmp_path, *options, "CEST", columns=columns)


def test_truths_with_times_are_counted_by_age(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The time is no feature; the accuracy of each age is printed. It takes the truth and the event's time as well."""
    late = np.where(np.arange(ROWS) % 2, 3 * 60_000, 3 * 24 * 3_600_000)
    known = pa.array(START + np.arange(ROWS) * 60_000 + late, pa.timestamp("ms", tz="UTC"))
    columns = {**_table(), "known": known}
    options = ("--score", "score", "--truth", "truth", "--truth-time", "known")
    spec, profile = _init(tmp_path, *options, "--timestamp", "at", columns=columns)
    assert "known" not in spec.columns
    ages = {AgeBucket(age): labelled for age, labelled, _ in profile.truth_ages}
    assert ages == {AgeBucket.M5: ROWS // 2, AgeBucket.D3: ROWS // 2}
    assert sum(correct for *_, correct in profile.truth_ages) == profile.correct
    print_profile(profile, spec, remarks=())
    assert " up to 5m (2,000), " in capsys.readouterr().out
    with pytest.raises(SpecError, match="--truth-time known: expected --timestamp as well"):
        _init(tmp_path, *options, columns=columns)


def test_it_says_which_accuracy_will_be_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reference's accuracy, and the lines of each tier under the lower end of its interval; none without truths."""
    pyarrow.parquet.write_table(pa.table(_table()), tmp_path / "past.parquet")
    options = {"reference": tmp_path / "past.parquet", "score": "score", "ignore": ["at"], "output": tmp_path}
    init(model="known", truth="truth", as_json=True, **options)  # type: ignore[arg-type]
    document = json.loads(capsys.readouterr().out)
    low = wilson_interval(document["correct"], document["labelled"], confidence=0.95).low
    expected = {"warning": low - 0.03, "alert": low - 0.06, "critical": low - 0.12}
    lines = document["accuracy_lines"]
    assert lines == pytest.approx(expected, abs=1e-4)
    init(model="known", truth="truth", force=True, **options)  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert f"Accuracy of the reference: {document['correct'] / document['labelled']:.4f} of 4,000 truths." in shown
    assert f"proven to lie under a line: {lines['warning']:.3f} warning, {lines['alert']:.3f} alert" in shown
    assert "compared with all of them, however young" in shown
    init(model="unknown", **options, as_json=True)  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out)["accuracy_lines"] == {}
