"""`driftline reference build --cells-of`, `adopt --version` and `store`, and what `status` says, on a real Postgres."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.reference.adopt import adopt
from driftline.cli.reference.build import build
from driftline.cli.reference.list import list_stored
from driftline.cli.reference.store import store
from driftline.cli.status import status
from monitor.errors import SpecError
from monitor.reference.profile import decode_profile, encode_profile
from monitor.store import schema
from monitor.store.specs import reference_digest
from monitor.store.version_adoptions import version_adoptions
from monitor.types import Stage
from tests.integration.test_reference_commands import ROWS, directory, other, run_json, write_table
from tests.models.counted import START

__all__ = ["directory", "other", "run_json"]  # fixtures


@pytest.fixture
def own(directory: Path) -> Path:
    """The predictions of version 2 on its validation set, counted on the cells of `credit`."""
    return built(directory, cells_of="credit")


def built(directory: Path, *, cells_of: str | None, rows: int = ROWS) -> Path:
    random = np.random.default_rng(3)
    table = pa.table(
        {
            "income": random.normal(size=rows),
            "country": random.choice(["DE", "FR"], size=rows),
            "score": random.uniform(size=rows) ** 2,
        }
    )
    pyarrow.parquet.write_table(table, directory / "validation.parquet")
    output = directory / "2.reference"
    build(
        spec=directory / "credit.yaml",
        table=directory / "validation.parquet",
        cells_of=cells_of,
        output=output,
        force=True,
    )
    return output


def test_a_reference_is_stored_for_a_manifest(
    own: Path, engine: Engine, run_json: Callable[..., dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is compared with it; storing it again changes nothing."""
    first = run_json(store, "credit", str(own))
    assert first == run_json(store, "credit", str(own))
    profile = decode_profile(own.read_bytes(), source="test")
    assert first == {"model": "credit", "reference_id": 2, "digest": reference_digest(encode_profile(profile))}
    store("credit", str(own))
    assert f'"manifest": {{"reference": "{first["digest"]}"}}' in capsys.readouterr().out
    with engine.connect() as connection:
        assert version_adoptions(connection, 1) == ()


def test_what_could_not_be_compared_is_not_stored(directory: Path, engine: Engine) -> None:
    with pytest.raises(SpecError, match="expected the cells of credit"):
        store("credit", str(built(directory, cells_of=None)))


def test_status_says_which_named_reference_is_not_there(
    own: Path, engine: Engine, run_json: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(schema.deployment).values(
                model_id=1,
                version="2",
                event_time=START,
                stage=Stage.CANARY.value,
                manifest={"reference": "77"},
                topic="deployments",
                partition=0,
                offset=0,
            )
        )
    (notice,) = run_json(status)["references_not_adopted"]
    status()
    assert f"Notice: {notice}." in capsys.readouterr().out
    adopt("credit", str(own), version="2")
    assert run_json(status)["references_not_adopted"] == []


def test_build_on_given_cells_says_what_comes_next(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = built(directory, cells_of="credit")
    assert f"`driftline reference adopt credit {own} --version VERSION`" in capsys.readouterr().out


def test_it_is_stored_and_adopted_for_the_version(
    own: Path, engine: Engine, run_json: Callable[..., dict[str, object]]
) -> None:
    first = run_json(adopt, "credit", str(own), version="2")
    assert first == {
        "model": "credit",
        "version": "2",
        "changed": True,
        "reference_id": 2,
        "model_reference_id": 1,
        "used_from": 0,
    }
    assert run_json(adopt, "credit", "2", version="2") == {**first, "changed": False}
    listed = {line["id"]: line for line in run_json(list_stored, "credit", limit=50)["references"]}  # type: ignore[attr-defined]
    assert listed[1]["in_force_since"] is not None
    assert (listed[2]["in_force_since"], listed[2]["versions"]) == (None, ["2"])
    assert (listed[1]["versions"], listed[1]["cells_id"]) == ([], listed[2]["cells_id"])


def test_people_read_from_when_on_it_is_used(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adopt("credit", str(own), version="2")
    shown = capsys.readouterr().out
    assert f"Adopted {own} for version 2 of credit: reference 2." in shown
    assert "all of its windows are compared with it, without warm-up" in shown
    assert "`driftline reference adopt credit 1 --version 2`" in shown
    adopt("credit", str(own), version="2")
    assert "Nothing changed: version 2 of credit has reference 2 already." in capsys.readouterr().out
    list_stored("credit", limit=50)
    assert "for version 2" in capsys.readouterr().out


def test_adopting_the_models_own_is_the_end_of_it(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left to undo, so no command is named."""
    adopt("credit", str(own), version="2")
    capsys.readouterr()
    adopt("credit", "1", version="2")
    shown = capsys.readouterr().out
    assert "That is the model's own reference: this version is compared with it in everything." in shown
    assert "To undo it" not in shown


def test_a_forgotten_version_is_asked_for(own: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --version it is the whole model's; a profile on cells of its own is that on purpose."""
    adopt("credit", str(own))
    shown = capsys.readouterr().out
    assert "Was it built from one version's predictions (--cells-of)? Then go back" in shown
    assert f"`driftline reference adopt credit {own} --version VERSION`" in shown
    adopt("credit", "1")
    adopt("credit", str(other))
    assert "--cells-of" not in capsys.readouterr().out


def test_adopting_for_the_model_says_whose_own_reference_ends(
    own: Path, other: Path, run_json: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    adopt("credit", str(own), version="2")
    capsys.readouterr()
    adopt("credit", str(other))
    assert "It speaks for version 2 as well, whose own reference is no longer used" in capsys.readouterr().out
    assert [line["versions"] for line in run_json(list_stored, "credit", limit=50)["references"]] == [[], [], []]
    with pytest.raises(SpecError, match="expected the cells of credit"):
        adopt("credit", str(own), version="2")
    assert run_json(adopt, "credit", str(other))["versions_ended"] == []


def test_other_cells_are_refused_with_the_command_that_counts_on_them(directory: Path, engine: Engine) -> None:
    profile = built(directory, cells_of=None)
    with pytest.raises(SpecError) as refused:
        adopt("credit", str(profile), version="2")
    assert refused.value.source == str(profile)  # the file that was named, not the table that it was built from
    (score,) = refused.value.problems
    assert score.startswith("prediction.score: expected the cells of credit (1,000 cells from ")
    assert ", found 1,000 cells from " in score
    build_again = "driftline reference build SPEC --from validation.parquet --cells-of credit"
    assert f"`{build_again} --output credit-2.reference`" in score
    assert str(refused.value).startswith(f"{profile}: 1 problem\n")
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.version_adoption)).scalar() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.reference)).scalar() == 1


def test_the_command_in_the_refusal_works(directory: Path, run_json: Callable[..., dict[str, object]]) -> None:
    own = built(directory, cells_of="credit.reference")  # the profile file has the same cells
    assert run_json(adopt, "credit", str(own), version="2")["changed"] is True


def test_what_is_not_of_the_version_is_refused(directory: Path, own: Path) -> None:
    with pytest.raises(WrongUseError, match="found a rolling one"):
        adopt("credit", None, rolling=True, version="2")
    with pytest.raises(WrongUseError, match="found a rolling one"):
        adopt("credit", "credit@rolling", version="2")
    with pytest.raises(SpecError, match="expected one version, found those that found no place"):
        adopt("credit", str(own), version="other")


def test_cells_of_other_columns_are_refused(directory: Path) -> None:
    text = (directory / "credit.yaml").read_text()
    (directory / "credit.yaml").write_text(text.replace("income:", "salary:"))
    write_table(directory, seed=4)
    table = pyarrow.parquet.read_table(directory / "t.parquet")
    pyarrow.parquet.write_table(table.rename_columns(["at", "salary", "country", "score"]), directory / "t.parquet")
    with pytest.raises(SpecError) as refused:
        build(
            spec=directory / "credit.yaml",
            table=directory / "t.parquet",
            cells_of="credit",
            output=directory / "2.reference",
        )
    assert set(refused.value.problems) == {
        "the given reference: expected cells of 'salary', a column of the spec, found none",
        "the spec: expected 'income', a column of the given reference, found none",
    }
