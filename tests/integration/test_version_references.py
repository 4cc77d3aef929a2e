"""New versions on a real Postgres: their prediction is learnt in the warm-up, then judged against itself."""

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import EvaluationRules, Evaluator
from monitor.reference.arrow_columns import NumericColumn
from monitor.reference.build import build_profile
from monitor.reference.counting import counts_on_cells, numeric_places
from monitor.reference.description import TableColumns, spec_description
from monitor.reference.layout import SLOTS
from monitor.reference.profile import ReferenceProfile
from monitor.result_codec import decode_result
from monitor.results import WindowResult
from monitor.spec.file import parse_spec
from monitor.store import schema
from monitor.store.configuration import load_configuration
from monitor.store.incidents import lock_model
from monitor.store.series import ensure_series
from monitor.store.specs import adopt_reference
from monitor.store.version_references import PredictionSource, VersionReference, version_references
from monitor.types import IncidentKind, InconclusiveReason, SeriesKey, Stage, Statistic, Tier
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from monitor.windows.watermark import WatermarkRules
from tests.models.alerted import deploy
from tests.models.counted import START, set_watermark
from tests.models.insert import insert_model
from tests.oracle.stored import final_evaluations

NOW = START + 10**10
SPEC = """
model: credit
task: binary_classification
reference: credit.reference
columns:
  x: {kind: numeric}
prediction: {score: true, warm_up: 6h}
windows: {min_events: 100, scales: [{length: 30m, step: 5m}, {length: 2h, step: 30m}]}
"""
PER_MINUTE = 20
WARM_UP = 6
RULES = EvaluationRules(watermark=WatermarkRules(allowed_lateness=5 * MINUTE_MILLIS), revision_seconds=0)
SCORE = "prediction.score"
Scores = Callable[[npt.NDArray[np.float64], int], npt.NDArray[np.float64]]


def as_is(score: npt.NDArray[np.float64], hour: int) -> npt.NDArray[np.float64]:
    """Every score as the model of the reference gives it, whatever the *hour*."""
    return score


def recalibrated(score: npt.NDArray[np.float64], hour: int) -> npt.NDArray[np.float64]:
    """The same label for every event, and every score farther from 0.5."""
    return np.where(score >= 0.5, 1 - (1 - score) * 0.3, score * 0.3)


def stuck_for_two_hours(score: npt.NDArray[np.float64], hour: int) -> npt.NDArray[np.float64]:
    return np.full_like(score, 0.97) if 4 <= hour < 6 else recalibrated(score, hour)


def drifting_later(score: npt.NDArray[np.float64], hour: int) -> npt.NDArray[np.float64]:
    """From hour 12 on half of the applicants get half of the score."""
    changed = recalibrated(score, hour)
    return np.where(np.arange(len(score)) % 2 == 0, changed * 0.5, changed) if hour >= 12 else changed


def built_profile(*, seed: int = 5) -> ReferenceProfile:
    generator = np.random.default_rng(seed)
    rows = 40_000
    table = pa.table(
        {
            "x": generator.normal(size=rows),
            "score": generator.beta(2, 2, size=rows),
            "at": START - (rows - np.arange(rows, dtype=np.int64)) * 15_000,
        }
    )
    description, problems = spec_description(
        parse_spec(SPEC, source="test"), TableColumns(timestamp="at"), known=tuple(table.column_names)
    )
    assert problems == ()
    return build_profile(table, description=description, source="test")


class Released:
    """Version 1 serves alone, version 2 comes next to it: a minute of each holds the same number of events."""

    def __init__(self, engine: Engine, *, text: str = SPEC) -> None:
        self.engine = engine
        self.profile = built_profile()
        with engine.begin() as connection:
            self.applied = insert_model(connection, text, self.profile)

    def deployed(self, *, hour: int = 2, stage: Stage = Stage.CANARY) -> None:
        deploy(
            self.engine,
            self.applied,
            ("1", START - 100 * HOUR_MILLIS, Stage.PRODUCTION),
            ("2", START + hour * HOUR_MILLIS, stage),
        )

    def write(self, version: str, hours: Sequence[int], scores: Scores = as_is) -> None:
        layout = self.profile.layout
        rows = []
        with self.engine.begin() as connection:
            key = SeriesKey(self.applied.model_id, version)
            series_id = ensure_series(connection, {key})[key]
            for minute in (60 * hour + minute for hour in hours for minute in range(60)):
                generator = np.random.default_rng([int(version), minute])
                values = {
                    "x": generator.normal(size=PER_MINUTE),
                    SCORE: scores(generator.beta(2, 2, size=PER_MINUTE), minute // 60),
                }
                none = np.zeros(PER_MINUTE, dtype=np.bool_)
                counts = np.concatenate(
                    [
                        counts_on_cells(
                            column, numeric_places(column, NumericColumn(values[column.name], none.copy(), none))
                        )
                        if column.name in values
                        else np.zeros(column.cells + SLOTS, dtype=np.int64)
                        for column in layout.columns
                    ]
                )
                rows.append(
                    {
                        "series_id": series_id,
                        "cells_id": self.applied.cells[-1].cells_id,
                        "start": START + minute * MINUTE_MILLIS,
                        "span": 1,
                        "events": PER_MINUTE,
                        "sampled": 0,
                        "counts": encode_counts(counts),
                    }
                )
            connection.execute(sa.insert(schema.pane), rows)

    def evaluate(self, *, hour: float, limit_ends: int = 50, evaluator: Evaluator | None = None) -> None:
        """Judge every window that ends up to *hour*."""
        evaluator = evaluator or Evaluator(RULES)
        with self.engine.begin() as connection:
            set_watermark(connection, START + round(hour * HOUR_MILLIS), now=NOW)
            applied = load_configuration(connection).models[0]
        more = True
        while more:
            with self.engine.begin() as connection:
                assert lock_model(connection, applied.model_id)
                more = evaluator.evaluate_model(connection, applied, now_millis=NOW, limit_ends=limit_ends).more

    def results(self, version: str) -> Iterator[tuple[float, int, WindowResult]]:
        """Yield end (hours), length (minutes) and result of each window of *version*."""
        with self.engine.connect() as connection:
            rows = final_evaluations(connection, self.applied.model_id)
        for row in rows:
            if row.version == version:
                yield (row.window_end - START) / HOUR_MILLIS, row.length, decode_result(row.result)

    def everything(self) -> tuple[object, ...]:
        """Return all results, and what is decided and stored of version 2."""
        own = sa.select(schema.version_reference.c.counts).where(schema.version_reference.c.version == "2")
        with self.engine.connect() as connection:
            counts = connection.execute(own).scalar_one()
        return (*self.results("1"), *self.results("2"), self.references(), counts)

    def references(self) -> dict[str, VersionReference]:
        with self.engine.connect() as connection:
            return version_references(connection, self.applied.model_id)


def drifts(results: Iterator[tuple[float, int, WindowResult]]) -> list[float]:
    return [
        end
        for end, _, result in results
        if any(finding.column == SCORE for finding in result.of_kind(IncidentKind.DRIFT))
    ]


def test_a_recalibrated_version_is_judged_against_itself(engine: Engine) -> None:
    """Its score differs from the other version's for ever; that was critical drift in every window."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(16))
    story.write("2", range(2, 16), recalibrated)
    story.evaluate(hour=16)
    assert drifts(story.results("2")) == []
    assert drifts(story.results("1")) == []
    own = story.references()["2"]
    assert (own.source, own.minutes, own.events) == (PredictionSource.LEARNT, 360, 360 * PER_MINUTE)
    ready = (own.used_from - START) / HOUR_MILLIS
    assert 2 + WARM_UP < ready < 2 + WARM_UP + 1
    for end, length, result in story.results("2"):
        score = next((column for column in result.columns if column.name == SCORE), None)
        if score is None or result.reason:
            continue
        warming = end < ready
        assert score.inconclusive is (InconclusiveReason.WARMING_UP if warming else InconclusiveReason.CONCLUSIVE)
        assert score.psi is not None
        assert score.psi > 0.3 if warming else score.psi < 0.1, (end, length)


def test_without_a_warm_up_every_version_is_compared_with_the_model(engine: Engine) -> None:
    story = Released(engine, text=SPEC.replace("6h", "0h"))
    story.deployed()
    story.write("1", range(8))
    story.write("2", range(2, 8), recalibrated)
    story.evaluate(hour=8)
    assert drifts(story.results("2"))
    assert story.references() == {}


def test_drift_after_the_warm_up_is_found(engine: Engine) -> None:
    story = Released(engine)
    story.deployed()
    story.write("1", range(18))
    story.write("2", range(2, 18), drifting_later)
    story.evaluate(hour=18)
    assert drifts(story.results("2"))
    assert min(drifts(story.results("2"))) > 12
    sentence = next(
        finding.sentence for _, _, result in story.results("2") for finding in result.of_kind(IncidentKind.DRIFT)
    )
    assert "this version's own reference" in sentence


def test_a_prediction_that_is_stuck_in_the_warm_up_is_reported_and_not_learnt(engine: Engine) -> None:
    story = Released(engine)
    story.deployed()
    story.write("1", range(16))
    story.write("2", range(2, 16), stuck_for_two_hours)
    story.evaluate(hour=16)
    stuck = [
        (end, finding.tier)
        for end, _, result in story.results("2")
        for finding in result.of_kind(IncidentKind.DATA_QUALITY)
        if finding.statistic is Statistic.STUCK
    ]
    assert (6.0, Tier.ALERT) in stuck
    own = story.references()["2"]
    assert own.minutes == 360
    assert own.used_from > START + (2 + WARM_UP + 2) * HOUR_MILLIS  # the stuck hours come on top
    assert drifts(story.results("2")) == []


@pytest.mark.parametrize(("limit_ends", "steps"), [(1, 1), (7, 3), (50, 14)])
def test_neither_the_batch_nor_a_restart_matters(engine: Engine, limit_ends: int, steps: int) -> None:
    """Looked at once in the end, or many times before, each time by an evaluator of its own as after a restart."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(12))
    story.write("2", range(2, 12), stuck_for_two_hours)
    story.evaluate(hour=12)
    at_once = story.everything()
    with engine.begin() as connection:
        for table in (schema.evaluation, schema.scale_progress, schema.version_reference):
            connection.execute(sa.delete(table))
    for hour in np.linspace(2, 12, steps + 1)[1:].tolist():
        story.evaluate(hour=hour, limit_ends=limit_ends)
    assert story.references()["2"].used_from == START + 10 * HOUR_MILLIS + RULES.watermark.finality
    assert story.everything() == at_once


def test_the_first_version_keeps_the_models_reference(engine: Engine) -> None:
    """Nothing came before it, so the reference is of its own predictions."""
    story = Released(engine)
    deploy(engine, story.applied, ("1", START, Stage.PRODUCTION))
    story.write("1", range(10), recalibrated)
    story.evaluate(hour=10)
    assert drifts(story.results("1"))
    assert story.references()["1"].source is PredictionSource.OF_MODEL


def test_a_version_that_served_long_before_its_deployment_is_not_new(engine: Engine) -> None:
    story = Released(engine)
    story.deployed(hour=8)
    story.write("1", range(10))
    story.write("2", range(10), recalibrated)
    story.evaluate(hour=10)
    assert story.references()["2"].source is PredictionSource.OF_MODEL


def test_another_reference_that_is_adopted_speaks_for_the_version_too(engine: Engine) -> None:
    """What was learnt next to the reference before it is no longer used: people decided later."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(12))
    story.write("2", range(2, 12), recalibrated)
    story.evaluate(hour=10)
    assert drifts(story.results("2")) == []
    other = msgspec.structs.replace(story.profile, source="another table")
    with engine.begin() as connection:
        adopt_reference(connection, model_id=story.applied.model_id, profile=other, base_id=None)
    story.evaluate(hour=12)
    assert min(drifts(story.results("2"))) > 10
