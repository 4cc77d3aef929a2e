"""`driftline evaluations` on a real database: which windows it shows, and the numbers of their columns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from monitor.clock import iso_utc
from monitor.results import WindowResult
from monitor.spec.model import FurtherStatistic
from monitor.store.evaluations import NewEvaluation, insert_evaluations
from monitor.store.series import ensure_series
from monitor.store.views.evaluations import shown_evaluations
from monitor.types import InconclusiveReason, ModelKey, SeriesKey, Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.credit import START, apply_credit_model
from tests.models.decided import decide_window
from tests.services.command import document, run
from tests.unit.detection.streams import HOUR, count, prepared_of

END = START // (60 * MINUTE_MILLIS) * 60 * MINUTE_MILLIS
STEP = HOUR.step * MINUTE_MILLIS
CREDIT = ModelKey("default", "credit")


def drifted(shift: float) -> WindowResult:
    """Return a window of 2,000 events in which `income` moved by *shift*, with every statistic."""
    generator = np.random.default_rng(110)
    reference = {"income": generator.normal(size=20_000), "job": generator.choice(["baker", "cook"], 20_000)}
    prepared = prepared_of(reference, drift={"statistics": [statistic.value for statistic in FurtherStatistic]})
    current = {"income": generator.normal(shift, size=2000), "job": generator.choice(["baker", "cook"], 2000)}
    halves = [
        count(prepared.layout, {name: values[part] for name, values in current.items()})
        for part in (slice(0, 1000), slice(1000, 2000))
    ]
    return decide_window(prepared, scale=HOUR, first_half=halves[0], second_half=halves[1], events=2000)


@pytest.fixture
def evaluated(engine: sa.Engine) -> sa.Engine:
    """Windows of two versions and one segment; one of them evaluated twice, another without events.

    .. code-block:: text

        until        END-10m   END-5m    END
        3.2.0        OK        OK, then  WARNING
                               no events
        3.3.0                            OK
        region=eu                        OK
    """
    model_id = apply_credit_model(engine)
    with engine.begin() as connection:
        cells_id, reference_id = connection.execute(sa.text("SELECT cells_id, id FROM reference")).one()
        keys = [
            SeriesKey(model_id, "3.2.0"),
            SeriesKey(model_id, "3.3.0"),
            SeriesKey(model_id, "3.2.0", segment_tag="region", segment_value="eu"),
        ]
        ids = ensure_series(connection, set(keys))
        calm, moved = drifted(0.0), drifted(0.7)
        none = WindowResult(
            verdict=Verdict.INCONCLUSIVE,
            events=0,
            reason=InconclusiveReason.NO_EVENTS,
            sentence="Inconclusive: no events.",
        )
        for key, end, revision, result in (
            (keys[0], END - 2 * STEP, 0, calm),
            (keys[0], END - STEP, 0, calm),
            (keys[0], END - STEP, 1, none),
            (keys[0], END, 0, moved),
            (keys[1], END, 0, calm),
            (keys[2], END, 0, calm),
        ):
            new = NewEvaluation(
                series_id=ids[key], length=60, window_end=end, cells_id=cells_id, spec_version=1,
                reference_id=reference_id, revision=revision, previous_events=0, sampled=0, result=result,
            )  # fmt: skip
            insert_evaluations(connection, [new])
    return engine


def test_the_newest_revision_of_each_window_newest_first(evaluated: sa.Engine) -> None:
    """Ordered by end, then version; an older revision is not shown; filters and the limit narrow it down."""

    def shown(**wanted: Any) -> list[tuple[str, int, int]]:
        with evaluated.connect() as connection:
            evaluations = shown_evaluations(connection, CREDIT, **{"limit": 9, **wanted})
        return [(value.version, (value.window_end - END) // STEP, value.revision) for value in evaluations]

    everything = [("3.2.0", 0, 0), ("3.3.0", 0, 0), ("3.2.0", -1, 1), ("3.2.0", -2, 0)]
    assert shown() == everything
    assert shown(limit=2) == everything[:2]
    assert shown(version="3.3.0") == everything[1:2]
    assert shown(window_end=END - STEP) == everything[2:3]
    assert shown(segment=("region", "eu")) == [("3.2.0", 0, 0)]
    assert shown(length=10) == []


def test_a_window_is_shown_with_the_numbers_of_every_column(
    evaluated: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    """The list has verdict and sentence; with --end each column has PSI, KS and what the spec asked for."""
    listed = run(database_url, "evaluations", "credit", directory=tmp_path)
    assert listed.returncode == 0, listed.stderr
    versions = [line.split()[0] for line in listed.stdout.splitlines() if " 1h " in line]
    assert versions == ["3.2.0", "3.3.0", "3.2.0", "3.2.0"]
    assert "WARNING" in listed.stdout
    assert "Hellinger" not in listed.stdout
    arguments = ("evaluations", "credit", "--version", "3.2.0", "--end")
    shown = run(database_url, *arguments, iso_utc(END), directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    moved = drifted(0.7)
    income, job = moved.columns[0], moved.columns[1]
    assert income.further is not None
    row = next(line for line in shown.stdout.splitlines() if line.strip().startswith("income"))
    for number in (income.psi, income.psi_low, income.ks, income.further.hellinger, income.further.wasserstein):
        assert f"{number:.4f}" in row.split()
    row = next(line for line in shown.stdout.splitlines() if line.strip().startswith("job"))
    assert row.split()[1:5] == ["2,000", f"{job.psi:.4f}", "-", "-"]
    quiet = run(database_url, *arguments, iso_utc(END - STEP), directory=tmp_path)
    assert "no numbers: no events" in quiet.stdout


def test_json_is_what_is_stored(evaluated: sa.Engine, database_url: str, tmp_path: Path) -> None:
    """One document with every window's head, columns, findings and sentence."""
    result = document(database_url, "evaluations", "credit", "--scale", "1h", "--limit", "1", directory=tmp_path)
    (window,) = result["evaluations"]
    moved = drifted(0.7)
    assert (window["version"], window["window_end"], window["length"]) == ("3.2.0", END, 60)
    assert (window["verdict"], window["sentence"]) == ("WARNING", moved.sentence)
    assert window["columns"][0]["further"]["chi_squared_freedom"] == 9
    assert window["columns"][0]["psi"] == pytest.approx(moved.columns[0].psi, rel=1e-9)
    assert window["findings"][0]["column"] == "income"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "model nobody: expected one that is applied, found: credit"),
        (("credit", "--end", "noon"), "--end: expected a time like 2026-06-01T12:00, found 'noon'"),
        (("credit", "--scale", "an hour"), "--scale: expected a duration like"),
        (("credit", "--segment", "eu"), "--segment: expected a tag and its value like region=eu, found 'eu'"),
    ],
)
def test_wrong_use_says_what_was_expected(
    evaluated: sa.Engine, database_url: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, and what to write instead."""
    done = run(database_url, "evaluations", *arguments, directory=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
