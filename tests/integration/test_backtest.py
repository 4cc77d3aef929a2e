"""`driftline backtest` as a user runs it, and the promises of its engine, on its own embedded Postgres."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftline.backtest import (
    BacktestDatabase,
    BacktestOutcome,
    HistoryColumns,
    backtest_history,
    history_of,
    truths_of,
)
from driftline.backtest.report.schema import BacktestReport
from driftline.cli.init import init
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import read_spec
from monitor.spec.model import DriftRule, ModelSpec
from monitor.types import IncidentKind, Tier, Verdict

START, ROWS, HOUR = 1_780_272_000_000, 24_000, 3_600_000
COLUMNS = HistoryColumns(timestamp="at", identity="id", score="score")


def drawn(seed: int, *, start: int, shifted: bool = False) -> pa.Table:
    """Return 20 hours, 20 rows a minute; *shifted*: in the second half `income` is a sigma higher, truths turn."""
    random = np.random.default_rng(seed)
    second = shifted & (np.arange(ROWS) >= ROWS // 2)
    score = random.uniform(size=ROWS)
    return pa.table(
        {
            "at": pa.array(start + np.arange(ROWS) * 3000, pa.timestamp("ms", tz="UTC")),
            "id": np.arange(ROWS),
            "income": random.normal(size=ROWS) + second,
            "country": random.choice(["DE", "FR", "IT"], size=ROWS),
            "score": score,
            "y": (random.random(ROWS) < np.where(second, 0.5, np.where(score >= 0.5, 0.9, 0.1))).astype(int),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing but a spec, its reference, and a table of past predictions."""
    path = tmp_path_factory.mktemp("backtest")
    pq.write_table(drawn(1, start=START - 30 * 24 * HOUR), path / "may.parquet")
    init(
        reference=path / "may.parquet", model="fraud", score="score", truth="y", timestamp="at", identity="id",
        scales="10m/1m,1h/5m,24h/2h", output=path / "fraud.yaml", as_json=True,
    )  # fmt: skip
    (path / "may.parquet").unlink()
    pq.write_table(drawn(2, start=START, shifted=True), path / "june.parquet")
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "driftline", "backtest", *arguments]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}


def run(*arguments: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=directory, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=240, check=False,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_an_empty_directory_with_spec_reference_and_data_is_enough(folder: Path) -> None:
    """One screen, one document, one page; the shift is found within the hour, and --json is the document alone."""
    before = set(folder.iterdir())
    done = run("fraud.yaml", "--data", "june.parquet", directory=folder)
    assert done.returncode == 0, done.stderr
    assert "1 incident in 20.0 hours would have sent" in " ".join(done.stdout.split())
    assert len(done.stdout.splitlines()) <= 60
    assert {path.name for path in set(folder.iterdir()) - before} == {"fraud.backtest.json", "fraud.backtest.html"}
    report = msgspec.json.decode((folder / "fraud.backtest.json").read_bytes(), type=BacktestReport)
    (incident,) = report.incidents
    assert (incident.kind, incident.columns, incident.closed) == ("drift", ("income",), None)
    assert "2026-06-01T10:00:00Z" < incident.opened < "2026-06-01T11:00:00Z"
    assert report.summary.pages >= 1
    assert {scale.scale: scale.judged > 0 for scale in report.scales} == {"10m": True, "1h": True, "24h": False}
    page = (folder / "fraud.backtest.html").read_text()
    assert incident.id[:8] not in page  # an id that no database has would lead nowhere
    assert "income" in page
    again = run(
        "fraud.yaml", "--data", "june.parquet", "--json", "--no-textbook", "--out", "o.json", "--html", "p.html",
        directory=folder,
    )  # fmt: skip
    document = json.loads(again.stdout)
    assert again.stdout == (folder / "o.json").read_text()
    assert [rule["rule"] for rule in document["rules"]] == ["default"]
    assert document["incidents"] == json.loads((folder / "fraud.backtest.json").read_text())["incidents"]


def test_wrong_use_is_refused_at_once(folder: Path) -> None:
    """Exit code 2, the problem in a sentence, no traceback, and nothing was written or started."""
    began = time.monotonic()
    done = run("fraud.yaml", "--data", "june.parquet", "--timestamp", "when", "--out", "n.json", directory=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "column 'when': expected one of at, id, income, country, score, y; found none" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "n.json").exists()
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_nothing_behind(folder: Path, sent: signal.Signals, tmp_path: Path) -> None:
    """Interrupted at work: no server, no temporary directory, no half-written file."""
    said = tmp_path / "said.txt"
    with said.open("wb") as stderr:
        process = subprocess.Popen(
            command("fraud.yaml", "--data", "june.parquet", "--out", "i.json", "--html", "i.html"),
            cwd=folder,
            env={**environment(), "TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    deadline = time.monotonic() + 90
    lines: list[str] = []
    while not lines:  # the file is there before its lines are
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
        for pid_file in tmp_path.glob("driftline-backtest-*/postgres/postmaster.pid"):
            lines = pid_file.read_text().splitlines()
    server = int(lines[0])
    os.killpg(process.pid, sent)
    assert process.wait(60) not in (0, None)
    assert list(tmp_path.glob("driftline-backtest-*")) == []
    with pytest.raises(ProcessLookupError):
        _await_end(server)
    assert not (folder / "i.json").exists()
    assert not (folder / "i.html").exists()


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def database() -> Iterator[BacktestDatabase]:
    with BacktestDatabase() as running:
        yield running


def given(folder: Path) -> tuple[ModelSpec, ReferenceProfile]:
    profile = decode_profile((folder / "fraud.reference").read_bytes(), source="test")
    return read_spec(folder / "fraud.yaml"), profile


def judged(
    database: BacktestDatabase,
    folder: Path,
    table: pa.Table,
    *,
    rule: DriftRule = DriftRule.DEFAULT,
    truths: bool = False,
    textbook: bool = False,
) -> BacktestOutcome:
    spec, profile = given(folder)
    spec = spec.model_copy(update={"drift": spec.drift.model_copy(update={"rule": rule})})
    known = truths_of(table, identity="id", truth="y", known="at", delay_millis=HOUR, source="t") if truths else None
    with database.fresh() as url:
        history = history_of(table, spec=spec, layout=profile.layout, columns=COLUMNS, source="history")
        return backtest_history(url, spec=spec, profile=profile, history=history, truths=known, textbook=textbook)


def test_the_compared_textbook_rule_is_the_textbook_rule(database: BacktestDatabase, folder: Path) -> None:
    """Window by window, the verdicts and incidents that are compared are those of a spec that says `rule: textbook`."""
    table = drawn(3, start=START, shifted=True)
    own = judged(database, folder, table, rule=DriftRule.TEXTBOOK)
    compared = judged(database, folder, table, textbook=True)
    assert compared.textbook is not None
    expected = {(window.scale, window.end): window for window in own.windows}
    checked = Counter[Verdict]()
    for window in compared.windows:
        if window.textbook is None:
            assert window.reason == "filling"
            continue
        textbook = expected[window.scale, window.end]
        checked[window.textbook.verdict] += 1
        assert window.textbook.verdict is textbook.verdict
        assert window.textbook.columns == tuple(dict.fromkeys(finding.column for finding in textbook.findings))
    assert min(checked[value] for value in (Verdict.OK, Verdict.WARNING, Verdict.CRITICAL)) > 20
    assert [
        [(step.end, step.step, step.tier, step.notified) for step in incident.steps] for incident in compared.textbook
    ] == [[(step.end, step.step, step.tier, step.notified) for step in incident.steps] for incident in own.incidents]


def test_comparing_with_the_textbook_rule_changes_nothing(database: BacktestDatabase, folder: Path) -> None:
    """What the spec's own rule says is the same with it and without."""
    table = drawn(4, start=START, shifted=True).slice(0, ROWS // 2 + 4000)
    alone, compared = judged(database, folder, table), judged(database, folder, table, textbook=True)
    assert alone.textbook is None
    assert compared.incidents == alone.incidents
    assert [(window.scale, window.end, window.verdict, window.findings) for window in compared.windows] == [
        (window.scale, window.end, window.verdict, window.findings) for window in alone.windows
    ]


def test_accuracy_falls_when_its_truths_are_known(database: BacktestDatabase, folder: Path) -> None:
    """From 10:00 on truths are coin flips, known an hour later: the incident comes after 11:00, with the windows."""
    result = judged(database, folder, drawn(5, start=START, shifted=True), truths=True)
    assert result.labelled == ROWS
    performance = [incident for incident in result.incidents if incident.kind is IncidentKind.PERFORMANCE]
    assert performance
    first = performance[0].steps[0]
    assert START + 11 * HOUR < first.known < START + 13 * HOUR
    assert first.end <= first.known
    assert first.tier is Tier.CRITICAL
    assert "Accuracy" in first.sentence
    # 0.9 of the first half and 0.5 of the second came true, give or take four standard deviations.
    assert result.correct / result.labelled == pytest.approx(0.7, abs=4 * 0.003)
    ends = [accuracy.window_end for accuracy in result.accuracies if accuracy.length == 60]
    assert max(ends) > START + 19 * HOUR  # truths that came after the last prediction are waited for


def test_rows_out_of_order_and_repeated_rows_change_nothing(database: BacktestDatabase, folder: Path) -> None:
    """The same windows and incidents from a shuffled file in which every hundredth row stands twice."""
    table = drawn(6, start=START, shifted=True).slice(ROWS // 2 - 3000, 8000)
    order = np.random.default_rng(0).permutation(np.concatenate([np.arange(8000), np.arange(0, 8000, 100)]))
    once, shuffled = judged(database, folder, table), judged(database, folder, table.take(pa.array(order)))
    assert (once.duplicates, shuffled.duplicates) == (0, 80)
    assert shuffled.events == once.events == 8000
    assert shuffled.windows == once.windows
    assert shuffled.incidents == once.incidents
