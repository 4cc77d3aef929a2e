"""Deployment events that come after windows of their time were judged: in the end all is as in a replay."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from driftline.cli.status_models import print_unrevised
from monitor.evaluate import EvaluationRules, Evaluator, late_deployments
from monitor.evaluate.results import StoredEvaluation
from monitor.store import schema
from monitor.store.configuration import load_configuration
from monitor.store.incidents import lock_model
from monitor.store.version_references import PredictionSource
from monitor.store.version_warm_ups import read_warm_ups
from monitor.store.views.status import model_statuses
from monitor.types import ALL_SEGMENT, SeriesKey, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.integration.test_version_references import NOW, SPEC, Released, drifts, recalibrated
from tests.models.counted import START, set_watermark
from tests.oracle.stored import final_evaluations
from tests.services.command import document

RULES = EvaluationRules(watermark=WatermarkRules(allowed_lateness=2 * HOUR_MILLIS), revision_seconds=0)
SHORT = SPEC.replace("6h", "2h")
Event = tuple[str, float, Stage]
"""Version, hour, stage."""
FIRST = ("1", -100.0, Stage.PRODUCTION)
CANARY = ("2", 2.0, Stage.CANARY)


class Observed(Released):
    """Deployment events that arrive between looks."""

    def __init__(self, engine: Engine, *, text: str = SHORT) -> None:
        super().__init__(engine, text=text)
        self.evaluator = Evaluator(RULES)
        self.events = 0

    def arrives(self, *events: Event, reference: str | None = None) -> None:
        """Let the *events* arrive; the manifest of each names *reference*."""
        rows = [
            {
                "model_id": self.applied.model_id,
                "version": version,
                "event_time": START + round(hour * HOUR_MILLIS),
                "stage": stage.value,
                "topic": "deployments",
                "partition": 0,
                "offset": self.events + number,
                "manifest": {"reference": reference} if reference else None,
            }
            for number, (version, hour, stage) in enumerate(events)
        ]
        self.events += len(rows)
        with self.engine.begin() as connection:
            connection.execute(sa.insert(schema.deployment), rows)

    def look(self, *, hour: float) -> list[StoredEvaluation]:
        """Judge every window that ends up to *hour*; return what was stored."""
        with self.engine.begin() as connection:
            set_watermark(connection, START + round(hour * HOUR_MILLIS), now=NOW)
            applied = load_configuration(connection).models[0]
        stored: list[StoredEvaluation] = []
        more = True
        while more:
            with self.engine.begin() as connection:
                assert lock_model(connection, applied.model_id)
                batch = self.evaluator.evaluate_model(connection, applied, now_millis=NOW)
            more = batch.more
            stored += [evaluation for end in batch.window_ends for evaluation in end.evaluations]
        return stored

    def copied_to_segment(self, version: str) -> None:
        """Let every event of *version* be of one segment too."""
        key = SeriesKey(self.applied.model_id, version, "region", "north")
        with self.engine.begin() as connection:
            segment = schema.series.insert().values(
                model_id=key.model_id, version=version, segment_tag=key.segment_tag, segment_value=key.segment_value
            )
            inserted = connection.execute(segment).inserted_primary_key
            assert inserted is not None
            panes = schema.pane.c
            names = ("cells_id", "start", "span", "events", "sampled", "counts")
            whole = sa.select(schema.series.c.id).where(
                schema.series.c.version == version, schema.series.c.segment_tag != "region"
            )
            rows = sa.select(sa.literal(inserted.id), *(panes[name] for name in names)).where(
                panes.series_id == whole.scalar_subquery()
            )
            connection.execute(sa.insert(schema.pane).from_select(["series_id", *names], rows))

    def end_state(self) -> tuple[object, ...]:
        with self.engine.connect() as connection:
            return final_evaluations(connection, self.applied.model_id), self.references()

    def replayed(self, *, hour: float) -> tuple[object, ...]:
        """Judge everything once more, with all events there from the start."""
        tables = (
            "evaluation",
            "scale_progress",
            "version_reference",
            "version_adoption",
            "version_warm_up",
            "judge_again",
        )
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"TRUNCATE {', '.join(tables)}"))
        self.evaluator = Evaluator(RULES)
        self.look(hour=hour)
        return self.end_state()


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("arrival", [2.75, 3.5, 3.95])
def test_windows_before_a_late_first_deployment_are_judged_again(engine: Engine, arrival: float) -> None:
    """They were critical drift of the score: the version was not known to be a new one."""
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(9))
    story.write("2", range(2, 9), recalibrated)
    story.copied_to_segment("2")
    story.look(hour=arrival)
    assert drifts(story.results("2"))
    story.arrives(CANARY)
    again = story.look(hour=arrival)
    assert {evaluation.series.segment_tag for evaluation in again} == {ALL_SEGMENT, "region"}
    assert {evaluation.series.version for evaluation in again} == {"2"}
    assert not any(evaluation.driving for evaluation in again)  # no incident moves, nobody is notified
    assert drifts(story.results("2")) == []
    for hour in (5.0, 7.5, 9.0):
        story.look(hour=hour)
    assert story.references()["2"].source is PredictionSource.LEARNT
    live = story.end_state()
    assert live == story.replayed(hour=9)


@pytest.mark.parametrize(
    ("known", "late", "source"),
    [
        pytest.param([("2", 2.0, Stage.CANARY)], ("1", 1.0, Stage.PRODUCTION), PredictionSource.LEARNT, id="is new"),
        pytest.param(
            [("1", 1.9, Stage.PRODUCTION), ("2", 2.0, Stage.CANARY)],
            ("2", 1.7, Stage.SHADOW),
            PredictionSource.OF_MODEL,
            id="is the first",
        ),
        pytest.param(
            [FIRST, ("2", 2.5, Stage.CANARY)], ("2", 1.6, Stage.SHADOW), PredictionSource.LEARNT, id="is older"
        ),
    ],
)
def test_a_late_event_changes_who_is_new(
    engine: Engine, known: list[Event], late: Event, source: PredictionSource
) -> None:
    """Version 1 has no events: that another one came before is known by its deployment alone."""
    story = Observed(engine)
    story.arrives(*known)
    story.write("2", range(2, 8), recalibrated)
    for hour in (2.5, 3.0, 3.5):
        story.look(hour=hour)
    assert "2" not in story.references()
    story.arrives(late)
    for hour in (3.6, 5.0, 8.0):
        story.look(hour=hour)
    assert story.references()["2"].source is source
    live = story.end_state()
    assert live == story.replayed(hour=8)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_arrival_does_not_matter(engine: Engine, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Nor how many windows are judged again at once, nor a restart."""
    if seed % 2:
        monkeypatch.setattr(late_deployments, "REVISIONS_AT_ONCE", 3 * seed)
    draw = random.Random(seed)
    stages = (Stage.SHADOW, Stage.CANARY, Stage.PRODUCTION)
    events = [
        (version, draw.choice([0.5, 1.0, 1.5, 2.0, 2.3]), draw.choice(stages))
        for version in ("1", "2", "3")
        for _ in range(draw.randint(1, 3))
    ]
    arrivals = sorted((hour + draw.uniform(0, 1.9), (version, hour, stage)) for version, hour, stage in events)
    story = Observed(engine)
    for version in ("1", "2", "3"):
        story.write(version, range(draw.choice([0, 1, 2]), 8), recalibrated)
    for arrival, event in arrivals:
        story.look(hour=arrival)
        story.arrives(event)
        if draw.random() < 0.3:
            story.evaluator = Evaluator(RULES)
    story.look(hour=6)
    story.look(hour=8)
    live = story.end_state()
    assert live == story.replayed(hour=8)


def test_an_event_that_changes_nothing_revises_nothing(engine: Engine) -> None:
    story = Observed(engine)
    story.arrives(FIRST, CANARY)
    story.write("1", range(6))
    story.write("2", range(2, 6), recalibrated)
    story.look(hour=4)
    story.arrives(CANARY, FIRST, ("2", 3.0, Stage.PRODUCTION), ("1", 3.0, Stage.RETIRED))
    assert story.look(hour=4) == []
    story.evaluator = Evaluator(RULES)
    assert story.look(hour=4) == []
    story.look(hour=6)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(schema.evaluation.c.revision))).scalar_one() == 0


def test_final_windows_stay_and_status_shows_it(
    engine: Engine, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(9))
    story.write("2", range(2, 9), recalibrated)
    story.look(hour=6)
    before = [result for result in story.results("2") if result[0] <= 3.5]
    story.arrives(CANARY)
    again = story.look(hour=6)
    final = START + 6 * HOUR_MILLIS - RULES.watermark.finality
    assert again
    assert all(evaluation.window_end > final - 30 * 60_000 for evaluation in again)
    assert [result for result in story.results("2") if result[0] <= 3.5] == before
    with engine.connect() as connection:
        (status,) = model_statuses(connection)
        stored = read_warm_ups(connection, story.applied.model_id)["2"]
    assert stored.unrevised_until is not None
    assert final - 5 * 60_000 < stored.unrevised_until <= final
    assert [warm_up.version for warm_up in status.unrevised] == ["2"]
    print_unrevised((status,))
    assert "version 2" in capsys.readouterr().out
    (shown,) = document(database_url, "status", directory=tmp_path)["models"]
    assert shown["unrevised"] == [asdict(stored)]
    assert story.look(hour=6) == []


def late(engine: Engine) -> Observed:
    """Version 2 is deployed, and that is known only when windows of its first hours are final."""
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(6))
    story.write("2", range(2, 6), recalibrated)
    story.look(hour=6)
    story.arrives(CANARY)
    story.look(hour=6)
    return story


def unrevised(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        (status,) = model_statuses(connection)
    return [warm_up.version for warm_up in status.unrevised]


def test_the_notice_ends_when_no_window_reaches_back_into_that_time(engine: Engine) -> None:
    """A day at least, which is more than the longest window of this spec."""
    late(engine)
    shown = []
    for ago in (DAY_MILLIS - 1, DAY_MILLIS):
        with engine.begin() as connection:
            until = START + 6 * HOUR_MILLIS - ago
            of_version = sa.update(schema.version_warm_up).where(schema.version_warm_up.c.version == "2")
            connection.execute(of_version.values(unrevised_until=until))
            others = sa.delete(schema.version_warm_up).where(schema.version_warm_up.c.version != "2")
            connection.execute(others)
        shown.append(unrevised(engine))
    assert shown == [["2"], []]


def test_there_is_no_notice_of_a_retired_version(engine: Engine) -> None:
    story = late(engine)
    story.arrives(("2", 5.9, Stage.RETIRED))
    with engine.begin() as connection:
        shown = sa.select(schema.series.c.id).where(schema.series.c.version == "2").scalar_subquery()
        late_windows = schema.evaluation.c.window_end > START + 4 * HOUR_MILLIS
        assert connection.execute(
            sa.delete(schema.evaluation).where(schema.evaluation.c.series_id == shown, late_windows)
        ).rowcount
    assert unrevised(engine) == []


def test_without_deployments_nothing_is_looked_for(engine: Engine) -> None:
    story = Observed(engine)
    story.write("1", range(2))
    with statements_of(engine) as statements:
        story.look(hour=2)
    assert statements
    assert not any("version_warm_up" in statement or "judge_again" in statement for statement in statements)


@pytest.mark.parametrize("source", ["learnt", "adopted"])
def test_versions_without_windows_cost_nothing(engine: Engine, source: str) -> None:
    """What was learnt of, or adopted for, versions that serve no more is neither read nor prepared at each look."""
    story = Observed(engine)
    story.arrives(FIRST, CANARY)
    story.write("1", range(8))
    story.write("2", range(2, 8), recalibrated)
    story.look(hour=7.5)
    assert story.references()["2"].source is PredictionSource.LEARNT
    counts = []
    for hour in (7.6, 7.7):
        with statements_of(engine) as statements:
            assert story.look(hour=hour)
        counts.append(len(statements))
        versions = [f"old {number}" for number in range(40)]
        with engine.begin() as connection:
            if source == "learnt":
                learnt = connection.execute(
                    sa.select(schema.version_reference).where(schema.version_reference.c.version == "2")
                ).one()
                rows = [{**learnt._mapping, "version": version} for version in versions]
                connection.execute(insert(schema.version_reference).on_conflict_do_nothing(), rows)
            else:
                adopted = {"reference_id": 1, "profile_id": 1, "cells_id": 1, "used_from": 0, "adopted_by": "person"}
                rows = [{"model_id": story.applied.model_id, "version": version, **adopted} for version in versions]
                connection.execute(sa.insert(schema.version_adoption), rows)
    assert counts[0] == counts[1]
