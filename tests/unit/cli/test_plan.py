"""`driftline plan` on files that `driftline init` wrote: tables for people, JSON for programs, errors that help."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.init import init
from driftline.cli.plan import plan
from monitor.errors import SpecError

START, ROWS = 1_780_272_000_000, 6000
SCALES = "10m/1m,4h/20m"


def written(path: Path, capsys: pytest.CaptureFixture[str], *, timestamp: str | None) -> Path:
    """Write a reference of 6,000 rows, three a minute, and the spec that `init` makes of it."""
    random = np.random.default_rng(47)
    table = {
        "at": START + np.arange(ROWS) * 20_000,
        "income": random.lognormal(10, 1, size=ROWS),
        "country": random.choice(["DE", "FR", "IT"], size=ROWS),
        "score": random.uniform(size=ROWS),
    }
    if timestamp is None:
        del table["at"]
    source = path / "reference.parquet"
    pyarrow.parquet.write_table(pa.table(table), source)
    spec = path / "credit.yaml"
    init(reference=source, model="credit", score="score", timestamp=timestamp, scales=SCALES, output=spec)
    capsys.readouterr()
    return spec


def document(spec: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    plan(spec, as_json=True, **options)
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_traffic_of_the_reference_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three rows a minute: ten minutes hold 30, four hours 720, and the JSON says what the tables say."""
    spec = written(tmp_path, capsys, timestamp="at")
    result = document(spec, capsys)
    assert result["traffic"]["events_per_minute"] == pytest.approx(3.0)
    assert [(scale["scale"], scale["concludes"]) for scale in result["scales"]] == [("10m", False), ("4h", True)]
    needed = {(scale["tier"], scale["psi"]): scale["events"] for scale in result["scales"][1]["needed"]}
    plan(spec)
    shown = capsys.readouterr().out
    assert "credit: 3 events a minute (the reference: 6,000 rows in 1.4 days)" in shown
    assert "never: under 200" in shown
    assert f"{needed['warning', 0.5]:,}" in shown
    assert all(f"- {advice['about']}:" in shown for advice in result["advice"])


def test_a_reference_without_time_asks_for_the_traffic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without time stamps the traffic has to be said; a wrong one is refused, a right one is taken."""
    spec = written(tmp_path, capsys, timestamp=None)
    with pytest.raises(WrongUseError, match="--events-per-minute"):
        plan(spec)
    with pytest.raises(WrongUseError, match="more than 0, found 0"):
        plan(spec, events_per_minute=0.0)
    result = document(spec, capsys, events_per_minute=50.0)
    assert result["traffic"] == {"events_per_minute": 50.0, "source": "--events-per-minute"}
    assert [scale["concludes"] for scale in result["scales"]] == [True, True]
    assert any(advice["about"] == "reference" for advice in result["advice"])


def test_a_spec_without_its_reference_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing profile is named with the command that writes it; so is a spec that is none."""
    spec = written(tmp_path, capsys, timestamp="at")
    spec.with_suffix(".reference").unlink()
    with pytest.raises(SpecError, match="driftline init"):
        plan(spec)
    with pytest.raises(SpecError, match="driftline init"):
        plan(tmp_path / "absent.yaml")
