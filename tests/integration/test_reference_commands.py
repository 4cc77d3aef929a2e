"""`driftline reference list`, `show`, `diff` and `adopt` on a real Postgres."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa

from driftline.cli.apply import apply
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.init import init
from driftline.cli.reference.adopt import adopt
from driftline.cli.reference.build import build
from driftline.cli.reference.list import list_stored
from driftline.cli.reference.show import diff, show
from monitor.clock import now_millis
from monitor.errors import SpecError
from monitor.reference.profile import decode_profile, encode_profile
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.schema import pane
from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from tests.models.counted import set_watermark

START = 1_780_272_000_000
ROWS = 20_000


@pytest.fixture
def directory(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An applied model `credit` with spec and reference in this directory; the settings point at the database."""
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", database_url)
    monkeypatch.delenv("DRIFTLINE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path, seed=1)
    init(
        reference=tmp_path / "t.parquet", model="credit", score="score", timestamp="at", output=tmp_path / "credit.yaml"
    )
    apply(tmp_path / "credit.yaml")
    return tmp_path


def write_table(directory: Path, *, seed: int, mean: float = 0.0) -> None:
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "at": START + np.arange(ROWS) * 10_000,
            "income": random.normal(mean, size=ROWS),
            "country": random.choice(["DE", "FR"], size=ROWS),
            "score": random.uniform(size=ROWS),
        }
    )
    pyarrow.parquet.write_table(table, directory / "t.parquet")


@pytest.fixture
def other(directory: Path) -> Path:
    """A profile on other cells."""
    write_table(directory, seed=2, mean=1.0)
    build(
        spec=directory / "credit.yaml",
        table=directory / "t.parquet",
        timestamp="at",
        output=directory / "other.reference",
    )
    return directory / "other.reference"


@pytest.fixture
def same_cells(directory: Path) -> Path:
    """A profile on the same cells with other counts: twice as many of each."""
    result = decode_profile((directory / "credit.reference").read_bytes(), source="test")
    doubled = msgspec.structs.replace(result, counts_bytes=(result.counts * 2).tobytes(), rows=result.rows * 2)
    (directory / "doubled.reference").write_bytes(encode_profile(doubled))
    return directory / "doubled.reference"


@pytest.fixture
def run_json(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with --json and return its document."""

    def _run_json(command: Callable[..., None], *arguments: str, **options: object) -> Any:
        capsys.readouterr()
        command(*arguments, as_json=True, **options)
        return json.loads(capsys.readouterr().out)

    return _run_json


def in_force(engine: sa.Engine) -> AppliedModel:
    with engine.connect() as connection:
        (applied,) = load_configuration(connection).models
    return applied


def test_the_list_says_what_is_in_force(directory: Path, other: Path, run_json: Callable[..., Any]) -> None:
    """Applied, then another adopted: two references, one of them in force and adopted, newest decision first."""
    (line,) = run_json(list_stored, None, limit=50)["references"]
    assert (line["model"], line["kind"], line["rows"], line["adopted"]) == ("credit", "frozen", ROWS, False)
    assert (line["start"], line["end"]) == (START, START + (ROWS - 1) * 10_000)
    assert line["in_force_since"] >= line["created_at"]
    run_json(adopt, "credit", str(other))
    now, before = run_json(list_stored, "credit", limit=50)["references"]
    assert (now["id"], now["adopted"], before["in_force_since"]) == (line["id"] + 1, True, None)
    assert (before["id"], now["cells_id"] != before["cells_id"]) == (line["id"], True)


@pytest.mark.parametrize("damage", ["substring(profile for 40)", "profile || 'x'"], ids=["cut", "longer"])
def test_the_list_shows_the_others_when_one_is_damaged(
    directory: Path,
    engine: sa.Engine,
    other: Path,
    run_json: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    """It failed altogether; now the damaged one has what is known of it, and the command that writes it once more."""
    run_json(adopt, "credit", str(other))
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE reference SET profile = {damage} WHERE id = 1"))  # noqa: S608
    now, before = run_json(list_stored, "credit", limit=50)["references"]
    assert (now["rows"], now["problem"]) == (ROWS, None)
    assert (before["id"], before["rows"], before["source"]) == (1, None, None)
    assert "reference 1 in the database is damaged: " in before["problem"]
    assert "it is not in force; `driftline reference store credit FILE`" in before["problem"]
    list_stored(None, limit=50)
    assert "is damaged" in capsys.readouterr().out
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE reference SET profile = {damage} WHERE id = 2"))  # noqa: S608
    now, before = run_json(list_stored, "credit", limit=50)["references"]
    assert "`driftline reference adopt credit FILE` with the profile file that it was stored from" in now["problem"]
    run_json(adopt, "credit", str(other))
    run_json(adopt, "credit", "credit.reference")
    now, before = run_json(list_stored, "credit", limit=50)["references"]
    assert [line["problem"] for line in (now, before)] == [None, None]
    assert now["id"] == 1


def test_a_stored_reference_shows_what_its_file_shows(directory: Path, run_json: Callable[..., Any]) -> None:
    """By id, by model and as a file with its spec: the same columns and numbers."""
    by_model = run_json(show, "credit", spec=None, events_per_minute=None)
    by_id = run_json(show, str(by_model["stored"]["reference_id"]), spec=None, events_per_minute=None)
    by_file = run_json(show, "credit.reference", spec=directory / "credit.yaml", events_per_minute=None)
    assert by_model["reference_report"] == by_id["reference_report"] == by_file["reference_report"]
    columns = {column["name"]: column for column in by_model["reference_report"]["columns"]}
    assert (columns["income"]["bins"], columns["country"]["bins"]) == (10, 2)
    assert columns["income"]["scales"]["10m"]["status"] == "measured"
    assert by_file["stored"] is None


def test_traffic_changes_what_is_proven(directory: Path, run_json: Callable[..., Any]) -> None:
    """A hundred times the events prove a smaller PSI."""
    few, many = (run_json(show, "credit", spec=None, events_per_minute=pace) for pace in (60.0, 6000.0))
    proven = [shown["reference_report"]["columns"][0]["scales"]["10m"]["proven_from"] for shown in (few, many)]
    assert proven[0] > 1.3 * proven[1]


def test_people_can_read_it(directory: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables with the columns and their numbers, and which side is which."""
    capsys.readouterr()
    show("credit", spec=None, events_per_minute=None)
    shown = capsys.readouterr().out
    assert "in force since" in shown
    assert "10m (60)" in shown
    diff("credit", str(other), spec=None)
    shown = capsys.readouterr().out
    assert "They have other cells." in shown
    assert shown.index("income") < shown.index("country")
    list_stored(None, limit=50)
    assert "credit  frozen" in capsys.readouterr().out


def test_what_is_no_reference_says_what_is(directory: Path) -> None:
    """An unknown id, model or file: what was expected and what there is."""
    with pytest.raises(WrongUseError, match=r"nothing\.reference: expected a reference profile, found no file"):
        show("nothing.reference", spec=None, events_per_minute=None)
    for wrong in ("77", "kredit"):
        with pytest.raises(WrongUseError, match=rf"reference {wrong}: expected a profile file.*\(credit\)"):
            show(wrong, spec=None, events_per_minute=None)
    with pytest.raises(WrongUseError, match=r"model kredit: expected an applied one \(credit\)"):
        adopt("kredit", "credit")


def test_the_same_cells_change_counts_alone(
    directory: Path, same_cells: Path, engine: sa.Engine, run_json: Callable[..., Any]
) -> None:
    """A new version of the same spec on the same cells: every scale is judged on at once."""
    before = in_force(engine)
    done = run_json(adopt, "credit", str(same_cells))
    after = in_force(engine)
    assert (done["changed"], done["new_cells"], {scale["judged_from"] for scale in done["scales"]}) == (
        True,
        False,
        {0},
    )
    assert (after.cells, after.spec, after.spec_version) == (before.cells, before.spec, before.spec_version + 1)
    assert after.reference_id == done["reference_id"] != before.reference_id
    assert run_json(adopt, "credit", str(same_cells))["changed"] is False
    assert in_force(engine) == after


def test_other_cells_wait_for_their_minute(
    directory: Path, other: Path, engine: sa.Engine, run_json: Callable[..., Any]
) -> None:
    """From a whole minute ahead, and each scale is judged when a window is full of them."""
    done = run_json(adopt, "credit", str(other))
    old, new = in_force(engine).cells
    assert (old.effective_from, new.effective_from) == (0, done["effective_from"])
    assert done["effective_from"] % MINUTE_MILLIS == 0
    waits = {scale["scale"]: scale["judged_from"] - done["effective_from"] for scale in done["scales"]}
    assert (waits["10m"], waits["7d"]) == (10 * MINUTE_MILLIS, 7 * 1440 * MINUTE_MILLIS)


def test_going_back_brings_the_old_cells_back(
    directory: Path, other: Path, engine: sa.Engine, run_json: Callable[..., Any]
) -> None:
    """The first reference again: its layout under a new id after the other one's, and counted on from there."""
    first = in_force(engine)
    run_json(adopt, "credit", str(other))
    done = run_json(adopt, "credit", str(first.reference_id))
    cells = in_force(engine).cells
    assert done["reference_id"] == first.reference_id
    assert [cell.layout == first.cells[0].layout for cell in cells] == [True, False, True]
    assert cells[2].effective_from > cells[1].effective_from
    assert in_force(engine).cells_at(cells[2].effective_from) == cells[2]
    assert in_force(engine).cells_of(first.cells[0].layout) == cells[2]


def test_apply_leaves_an_adopted_reference_until_the_file_changes(
    directory: Path,
    same_cells: Path,
    engine: sa.Engine,
    capsys: pytest.CaptureFixture[str],
    run_json: Callable[..., Any],
) -> None:
    """The last decision wins: a changed threshold keeps the adopted one, another profile in the file replaces it."""
    first = in_force(engine)
    adopted = run_json(adopt, "credit", str(same_cells))["reference_id"]
    spec = directory / "credit.yaml"
    apply(spec)
    assert "adopted since, stays in force" in capsys.readouterr().out
    spec.write_text(spec.read_text().replace("min_events: 200", "min_events: 300"))
    applied = run_json(apply, spec)
    assert (applied["changed"], applied["reference_id"], applied["adopted_over"]) == (True, adopted, first.reference_id)
    assert in_force(engine).spec.windows.min_events == 300
    write_table(directory, seed=3)
    build(spec=spec, table=directory / "t.parquet", timestamp="at", force=True)
    applied = run_json(apply, spec)
    assert (applied["reference_id"], applied["adopted_over"]) == (adopted + 1, None)


def test_adopting_the_files_own_ends_the_adoption(
    directory: Path, same_cells: Path, engine: sa.Engine, run_json: Callable[..., Any]
) -> None:
    """Back to what was applied: nothing is remembered as adopted."""
    first = in_force(engine)
    run_json(adopt, "credit", str(same_cells))
    run_json(adopt, "credit", str(first.reference_id))
    (line,) = [
        reference for reference in run_json(list_stored, "credit", limit=9)["references"] if reference["in_force_since"]
    ]
    assert (line["id"], line["adopted"]) == (first.reference_id, False)
    assert run_json(apply, directory / "credit.yaml")["changed"] is False


def test_a_reference_of_other_columns_is_refused_whole(directory: Path, engine: sa.Engine) -> None:
    """Each disagreement is a line, and nothing changes."""
    text = (directory / "credit.yaml").read_text()
    (directory / "wide.yaml").write_text(text.replace("country: {kind: categorical}", "land: {kind: categorical}"))
    table = pyarrow.parquet.read_table(directory / "t.parquet").rename_columns(["at", "income", "land", "score"])
    pyarrow.parquet.write_table(table, directory / "t.parquet")
    build(spec=directory / "wide.yaml", table=directory / "t.parquet", output=directory / "wide.reference")
    before = in_force(engine)
    with pytest.raises(SpecError) as caught:
        adopt("credit", "wide.reference")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["columns.country", "columns.land"]
    assert in_force(engine) == before


def test_a_small_reference_is_not_adopted(directory: Path, engine: sa.Engine) -> None:
    """Under the spec's min_events it would prove nothing: refused, nothing stored."""
    spec = directory / "credit.yaml"
    small = spec.read_text().replace("min_events: 200", "min_events: 20")
    (directory / "small.yaml").write_text(small)
    pyarrow.parquet.write_table(
        pyarrow.parquet.read_table(directory / "t.parquet").slice(0, 50), directory / "s.parquet"
    )
    build(spec=directory / "small.yaml", table=directory / "s.parquet", output=directory / "small.reference")
    with pytest.raises(SpecError, match=r"expected at least 200 rows \(windows.min_events\), found 50 rows"):
        adopt("credit", "small.reference")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM reference")).scalar() == 1


def test_the_rolling_reference_is_shown_compared_and_adopted(
    directory: Path, engine: sa.Engine, run_json: Callable[..., Any]
) -> None:
    """MODEL@rolling wherever a reference is named; adopted, the list says on which one it stands."""
    with pytest.raises(WrongUseError, match="credit@rolling: expected counted events, found none"):
        show("credit@rolling", spec=None, events_per_minute=None)
    applied = in_force(engine)
    cells = applied.cells[0]
    profile = decode_profile((directory / "credit.reference").read_bytes(), source="test")
    now = now_millis() // HOUR_MILLIS * HOUR_MILLIS
    with engine.begin() as connection:
        key = SeriesKey(applied.model_id, "1")
        series_id = ensure_series(connection, {key})[key]
        row = {"series_id": series_id, "cells_id": cells.cells_id, "span": 60, "events": ROWS, "sampled": 0}
        starts = [now - hours * HOUR_MILLIS for hours in range(3, 33)]  # final whatever the minute
        counts = encode_counts(profile.counts)
        connection.execute(sa.insert(pane), [{**row, "start": start, "counts": counts} for start in starts])
        set_watermark(connection, now, now=now_millis())
    shown = run_json(show, "credit@rolling", spec=None, events_per_minute=None)
    assert (shown["stored"], shown["reference_report"]["rows"]) == (None, 30 * ROWS)
    compared = run_json(diff, "credit", "credit@rolling", spec=None)["difference"]
    assert compared["same_cells"] is True
    assert max(column["psi"] for column in compared["columns"]) < 1e-6  # the same shares, thirty times as many rows
    done = run_json(adopt, "credit", rolling=True)
    assert (done["changed"], done["new_cells"], done["previous_id"]) == (True, False, applied.reference_id)
    first = run_json(list_stored, "credit", limit=9)["references"][0]
    assert (first["kind"], first["base_id"], first["adopted"]) == ("rolling", applied.reference_id, True)


def test_adopt_wants_one_reference(directory: Path) -> None:
    """Neither and both are mistakes."""
    for arguments in ({"reference": None}, {"reference": "credit", "rolling": True}):
        with pytest.raises(WrongUseError, match="expected a reference or --rolling, found neither or both"):
            adopt("credit", **arguments)
