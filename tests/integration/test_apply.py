"""`driftline init` and `driftline apply` on a real Postgres."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
import yaml

from driftline.cli.apply import apply
from driftline.cli.init import init
from monitor.errors import SchemaVersionError, SpecError, UnavailableError
from monitor.reference.profile import decode_profile
from monitor.spec.file import read_spec
from monitor.store.configuration import Configuration, load_configuration, load_reference
from monitor.units import MINUTE_MILLIS
from tests.services.postgres import PostgresServer

START = 1_780_272_000_000


@pytest.fixture
def spec_path(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spec of a small model, as `init` writes it; the settings point at the test's database."""
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", database_url)
    monkeypatch.delenv("DRIFTLINE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)  # a driftline.toml of the developer's does not count here
    return _init(tmp_path / "credit.yaml", seed=1)


def _init(path: Path, *, seed: int) -> Path:
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "at": START + np.arange(5000) * 60_000,
            "income": random.lognormal(10, 1, size=5000),
            "country": random.choice(["DE", "FR"], size=5000),
            "score": random.uniform(size=5000),
        }
    )
    pyarrow.parquet.write_table(table, path.with_suffix(".parquet"))
    init(reference=path.with_suffix(".parquet"), model="credit", score="score", timestamp="at", output=path, force=True)
    return path


def _loaded(engine: sa.Engine) -> Configuration:
    with engine.connect() as connection:
        return load_configuration(connection)


def test_what_init_wrote_is_what_the_database_answers(spec_path: Path, engine: sa.Engine) -> None:
    """Spec, cells and reference come back equal; the first cells count from the beginning of time."""
    apply(spec_path)
    (model,) = _loaded(engine).models
    profile = decode_profile(spec_path.with_suffix(".reference").read_bytes(), source="file")
    assert (str(model.key), model.spec_version, model.spec) == ("credit", 1, read_spec(spec_path))
    assert [(cell.effective_from, cell.layout) for cell in model.cells] == [(0, profile.layout)]
    with engine.connect() as connection:
        assert load_reference(connection, model.reference_id) == profile


def test_applying_the_same_again_changes_nothing(
    spec_path: Path, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """No new version and no new generation, and the command says so."""
    apply(spec_path)
    before = _loaded(engine)
    capsys.readouterr()
    apply(spec_path)
    assert "Nothing changed: credit" in capsys.readouterr().out
    assert _loaded(engine) == before


def test_a_changed_spec_is_a_new_version_on_the_same_cells(spec_path: Path, engine: sa.Engine) -> None:
    """Another threshold: version 2, the generation moves, the counts go on."""
    apply(spec_path)
    before = _loaded(engine)
    spec_path.write_text(spec_path.read_text().replace("min_events: 200", "min_events: 300"))
    apply(spec_path)
    after = _loaded(engine)
    assert (after.generation, after.models[0].spec_version) == (before.generation + 1, 2)
    assert after.models[0].cells == before.models[0].cells
    assert after.models[0].spec.windows.min_events == 300


def test_new_cells_take_effect_at_a_future_pane_start(
    spec_path: Path, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another reference: the old cells stay for the panes before, the new ones begin at a whole minute ahead."""
    apply(spec_path)
    _init(spec_path, seed=2)
    with engine.connect() as connection:
        seconds = connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")).scalar_one()
    capsys.readouterr()
    apply(spec_path, as_json=True)
    document = json.loads(capsys.readouterr().out)
    old, new = _loaded(engine).models[0].cells
    assert (old.effective_from, new.effective_from % MINUTE_MILLIS) == (0, 0)
    assert new.effective_from > seconds * 1000
    assert document["effective_from"] == new.effective_from
    assert (document["changed"], document["spec_version"], document["cells"]) == (True, 2, new.layout.size)


def test_a_spec_that_does_not_fit_its_reference_is_refused_whole(spec_path: Path, engine: sa.Engine) -> None:
    """Four disagreements are four lines, and nothing is stored."""
    text = spec_path.read_text()
    for old, new in (
        ("income: {kind: numeric}", "income: {kind: categorical}"),
        ("country: {kind: categorical}", "land: {kind: categorical}"),
        ("score: true ", "score: false"),
        ("label: false", "label: true "),
    ):
        assert old in text
        text = text.replace(old, new)
    spec_path.write_text(text)
    with pytest.raises(SpecError) as caught:
        apply(spec_path)
    assert [problem.partition(": expected ")[0] for problem in caught.value.problems] == [
        "columns.income.kind",
        "columns.land",
        "columns.country",
        "prediction.score",
        "prediction.label",
    ]
    assert _loaded(engine).models == ()


def test_a_scale_the_reference_does_not_know_is_a_note(spec_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A window length added by hand is applied, and called uncalibrated."""
    spec_path.write_text(
        spec_path.read_text().replace("    - {length: 7d, step: 12h}", "    - {length: 8d, step: 12h}")
    )
    capsys.readouterr()
    apply(spec_path)
    printed = capsys.readouterr().out
    assert "Applied credit: spec version 1." in printed
    assert "8d" in printed.partition("Uncalibrated at ")[2]


def test_a_missing_or_foreign_profile_is_refused(spec_path: Path) -> None:
    """No file, and a file that is no profile: both are the user's to repair."""
    profile = spec_path.with_suffix(".reference")
    profile.write_bytes(b"something else")
    with pytest.raises(SpecError, match="expected a reference profile made by `driftline init`"):
        apply(spec_path)
    profile.unlink()
    with pytest.raises(SpecError, match=r"reference: expected a profile at .*credit\.reference, found: No such file"):
        apply(spec_path)


def test_an_absent_database_says_where_and_what_to_do(spec_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: the address and the setting that changes it, the password not."""
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", "postgresql://driftline:hush@127.0.0.1:1/driftline")
    with pytest.raises(UnavailableError, match=r"no answer at .*127\.0\.0\.1:1/driftline") as caught:
        apply(spec_path)
    assert "DRIFTLINE_DATABASE_URL" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_database_without_the_schema_is_refused(
    spec_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before `driftline migrate` nothing is stored."""
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", postgres_server.url("postgres"))
    with pytest.raises(SchemaVersionError, match="driftline migrate"):
        apply(spec_path)


def _with_receiver(spec_path: Path, url: str) -> None:
    document = yaml.safe_load(spec_path.read_text())
    receiver = {"name": "pager", "type": "webhook", "url": url, "secret_env": "NO_SUCH_SECRET"}
    document["alerting"] = {"receivers": [receiver]}
    spec_path.write_text(yaml.safe_dump(document))


def test_a_url_that_nothing_can_be_sent_to_is_refused(spec_path: Path, engine: sa.Engine) -> None:
    """Before it is stored, with the receiver's name and what is wrong with it."""
    _with_receiver(spec_path, "http://h:99999/")
    with pytest.raises(SpecError, match=r"alerting.receivers \(pager\).url: expected a port from 1 to 65535"):
        apply(spec_path)
    assert _loaded(engine).models == ()


def test_a_secret_that_is_not_here_is_named(
    spec_path: Path, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alerter may run elsewhere, so it is applied; who applies it reads what the alerter needs."""
    _with_receiver(spec_path, "https://example.org/hook")
    capsys.readouterr()
    apply(spec_path, as_json=True)
    document = json.loads(capsys.readouterr().out)
    (missing,) = document["secrets_not_here"]
    assert missing.startswith("credit/receivers/pager: NO_SUCH_SECRET: expected a signing secret")
    apply(spec_path)
    assert "The alerter needs it where it runs" in capsys.readouterr().out
    assert len(_loaded(engine).models) == 1
