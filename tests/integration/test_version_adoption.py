"""A version brings its own reference of the prediction: built on the model's cells, adopted for it, used at once."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
import structlog.testing
from sqlalchemy import Engine

from monitor.evaluate import Evaluator
from monitor.reference.build import build_profile
from monitor.reference.description import TableColumns, spec_description
from monitor.reference.profile import ReferenceProfile, encode_profile
from monitor.spec.file import parse_spec
from monitor.store import schema
from monitor.store.incidents import lock_model
from monitor.store.named_references import unadopted_names
from monitor.store.specs import adopt_reference, reference_digest
from monitor.store.version_adoptions import AdoptedBy, adopt_for_version, stored_profile, version_adoptions
from monitor.types import IncidentKind, InconclusiveReason, Tier
from monitor.units import HOUR_MILLIS
from tests.integration.test_version_references import (
    RULES,
    SCORE,
    SPEC,
    Released,
    Scores,
    as_is,
    built_profile,
    drifts,
    recalibrated,
)
from tests.models.counted import START

ADOPTED_AT = START + 5 * HOUR_MILLIS


def validation_profile(story: Released, scores: Scores, *, rows: int = 8_000) -> ReferenceProfile:
    """The validation set of a version, without time stamps, counted on the model's cells."""
    generator = np.random.default_rng(17)
    table = pa.table({"x": generator.normal(size=rows), "score": scores(generator.beta(2, 2, size=rows), 0)})
    description, problems = spec_description(
        parse_spec(SPEC, source="test"), TableColumns(), known=tuple(table.column_names)
    )
    assert problems == ()
    return build_profile(
        table, description=description, source=f"{scores.__name__} validation", cells=story.profile.layout
    )


def adopt_now(story: Released, scores: Scores = recalibrated) -> int:
    """Adopt the validation set of *scores* for version 2 and return from when on it is used."""
    profile = validation_profile(story, scores)
    with story.engine.begin() as connection:
        outcome = adopt_for_version(
            connection, model_id=story.applied.model_id, version="2", profile=profile, source="its profile"
        )
    assert outcome.changed
    return outcome.adoption.used_from


@pytest.fixture
def at_hour_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.store.version_adoptions.database_now_millis", lambda connection: ADOPTED_AT)


def score_of(story: Released) -> dict[tuple[float, int], InconclusiveReason]:
    """Why the score of version 2 was judged or not, by end (hours) and length (minutes) of the conclusive windows."""
    return {
        (end, length): column.inconclusive
        for end, length, result in story.results("2")
        for column in result.columns
        if column.name == SCORE and not result.reason
    }


def test_a_recalibrated_version_with_its_own_reference_is_judged_from_its_first_window_on(engine: Engine) -> None:
    """Adopted before its first event: no warm-up, and no drift, though it differs from the model's reference."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(10))
    assert adopt_now(story) == 0
    story.write("2", range(2, 10), recalibrated)
    story.evaluate(hour=10)
    assert drifts(story.results("1")) == []
    assert drifts(story.results("2")) == []
    reasons = score_of(story)
    assert min(reasons) == (2 + 5 / 60, 30)  # its first step
    assert set(reasons.values()) == {InconclusiveReason.CONCLUSIVE}
    assert story.references().keys() == {"1"}  # nothing was learnt for version 2


@pytest.mark.parametrize(("brought", "served"), [(recalibrated, as_is), (as_is, recalibrated)])
def test_scores_unlike_its_own_reference_are_critical_drift(engine: Engine, brought: Scores, served: Scores) -> None:
    """One step after its first full window; also where the scores are just like those of the model's reference."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(6))
    adopt_now(story, brought)
    story.write("2", range(2, 6), served)
    story.evaluate(hour=6)
    critical = {
        end: finding.sentence
        for end, _, result in story.results("2")
        for finding in result.of_kind(IncidentKind.DRIFT)
        if finding.column == SCORE and finding.tier is Tier.CRITICAL
    }
    assert min(critical) == pytest.approx(2 + 35 / 60)
    assert "this version's own reference" in critical[min(critical)]
    assert drifts(story.results("1")) == []


@pytest.mark.usefixtures("at_hour_five")
@pytest.mark.parametrize("hours", [[10.0], [3.0, 4.5, 10.0], np.arange(2.25, 10.25, 0.25).tolist()])
def test_an_adoption_ends_the_warm_up_at_its_moment_of_event_time(engine: Engine, hours: list[float]) -> None:
    """Whether windows before it were judged before it or not, they belong to the warm-up::

    hour     2 . . . 5 . . . . 10
             | warms | own reference
    """
    story = Released(engine)
    story.deployed()
    story.write("1", range(10))
    story.write("2", range(2, 10), recalibrated)
    for hour in [hour for hour in hours if hour < 5]:
        story.evaluate(hour=hour)
    assert adopt_now(story) == ADOPTED_AT
    for hour in [hour for hour in hours if hour >= 5]:
        story.evaluate(hour=hour)
    reasons = score_of(story)
    assert {end for end, _ in reasons} >= {3.0, 5.0, 9.0}
    for (end, _), reason in reasons.items():
        assert reason is (InconclusiveReason.CONCLUSIVE if end >= 5 else InconclusiveReason.WARMING_UP)
    assert drifts(story.results("2")) == []


@pytest.mark.usefixtures("at_hour_five")
def test_no_window_that_was_judged_belongs_to_a_later_adoption(engine: Engine) -> None:
    """A producer whose clock is ahead has windows judged that end after the database's present."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(7))
    story.write("2", range(2, 7), recalibrated)
    story.evaluate(hour=7)
    with engine.connect() as connection:
        judged = connection.execute(sa.select(sa.func.max(schema.scale_progress.c.evaluated_until))).scalar_one()
    assert judged > ADOPTED_AT
    assert adopt_now(story) == judged + 1


def test_adopting_another_reference_for_the_model_speaks_for_the_version(engine: Engine) -> None:
    """People decided later; what they adopt for the version after that counts again."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(8))
    adopt_now(story)
    story.write("2", range(2, 8), recalibrated)
    story.evaluate(hour=4)
    assert drifts(story.results("2")) == []
    with engine.begin() as connection:
        profile = validation_profile(story, as_is)
        adopt_reference(connection, model_id=story.applied.model_id, profile=profile, base_id=None)
    story.evaluate(hour=6)
    assert min(drifts(story.results("2"))) > 4
    assert adopt_now(story) > START + 6 * HOUR_MILLIS


def test_a_damaged_own_reference_is_replaced_by_no_other(engine: Engine) -> None:
    """The version is not compared with the model's predictions instead; adopting the file again mends it."""
    story = Released(engine)
    story.deployed()
    story.write("1", range(6))
    adopt_now(story)
    with engine.begin() as connection:
        connection.execute(
            sa.update(schema.reference)
            .where(schema.reference.c.id != story.applied.reference_id)
            .values(profile=b"damaged")
        )
    story.write("2", range(2, 6), recalibrated)
    story.evaluate(hour=4)
    assert {result.reason for end, _, result in story.results("2") if end <= 4} == {InconclusiveReason.NO_REFERENCE}
    with engine.begin() as connection:
        assert lock_model(connection, story.applied.model_id)
        profile = validation_profile(story, recalibrated)
        again = adopt_for_version(
            connection, model_id=story.applied.model_id, version="2", profile=profile, source="its profile"
        )
    assert not again.changed
    story.evaluate(hour=6)
    assert InconclusiveReason.CONCLUSIVE in {result.reason for end, _, result in story.results("2") if end > 4}


def deployed_with(story: Released, name: object, *, hour: int = 2) -> None:
    """Version 2 next to version 1; its deployment event names a reference."""
    story.deployed(hour=hour)
    with story.engine.begin() as connection:
        connection.execute(
            sa.update(schema.deployment)
            .where(schema.deployment.c.version == "2")
            .values(manifest={"code_commit": "a1b2c3d4", "reference": name})
        )


def stored(story: Released, scores: Scores = recalibrated) -> tuple[int, str]:
    """Id and digest of the validation set of *scores*, stored for nothing in particular."""
    profile = validation_profile(story, scores)
    with story.engine.begin() as connection:
        reference_id = stored_profile(connection, story.applied.model_id, story.applied.cells[-1].cells_id, profile)
    return reference_id, reference_digest(encode_profile(profile))


@pytest.mark.parametrize("name", ["number", "id", "digest", "beginning"])
def test_a_deployments_manifest_names_the_reference(engine: Engine, name: str) -> None:
    """Stored before: the version has it from its deployment on, and no warm-up."""
    story = Released(engine)
    reference_id, digest = stored(story)
    names = {"number": reference_id, "id": str(reference_id), "digest": digest, "beginning": digest[:12]}
    deployed_with(story, names[name])
    story.write("1", range(8))
    story.write("2", range(2, 8), recalibrated)
    for hour in (2.2, 5, 8):
        story.evaluate(hour=hour)
    assert drifts(story.results("2")) == []
    assert set(score_of(story).values()) == {InconclusiveReason.CONCLUSIVE}
    with engine.connect() as connection:
        (adoption,) = version_adoptions(connection, story.applied.model_id)
    assert (adoption.version, adoption.profile_id, adoption.used_from, adoption.adopted_by) == (
        "2",
        reference_id,
        START + 2 * HOUR_MILLIS,
        AdoptedBy.MANIFEST,
    )


@pytest.mark.parametrize("name", ["99", "abc", "0" * 64, "9" * 30, {"id": 2}, "' OR true --"])
def test_a_name_that_is_not_stored_is_a_warm_up_and_is_said_once(engine: Engine, name: object) -> None:
    story = Released(engine)
    deployed_with(story, name)
    story.write("1", range(5))
    story.write("2", range(2, 5), recalibrated)
    evaluator = Evaluator(RULES)
    with structlog.testing.capture_logs() as logs:
        for hour in (3, 4, 5):
            story.evaluate(hour=hour, evaluator=evaluator)
    assert set(score_of(story).values()) == {InconclusiveReason.WARMING_UP}
    assert [entry["event"] for entry in logs].count("reference.not_adopted") == 1
    with engine.connect() as connection:
        (notice,) = unadopted_names(connection, story.applied)
    assert notice.startswith("version 2 of credit: its deployment of ")
    assert "expected the id or digest of one that is stored for the model, found none" in notice
    assert "`driftline reference store credit FILE`" in notice
    assert "`driftline reference adopt credit FILE --version 2`" in notice


def test_a_named_reference_on_other_cells_is_said_with_the_command_that_makes_it(engine: Engine) -> None:
    story = Released(engine)
    other_cells = msgspec.structs.replace(validation_profile(story, as_is), layout=built_profile(seed=9).layout)
    counts = np.zeros(other_cells.layout.size, dtype="<i8")
    with engine.begin() as connection:
        reference_id = stored_profile(
            connection,
            story.applied.model_id,
            story.applied.cells[-1].cells_id,
            msgspec.structs.replace(other_cells, counts_bytes=counts.tobytes()),
        )
    deployed_with(story, reference_id)
    story.write("1", range(4))
    story.write("2", range(2, 4), recalibrated)
    story.evaluate(hour=4)
    assert set(score_of(story).values()) == {InconclusiveReason.WARMING_UP}
    with engine.connect() as connection:
        (notice,) = unadopted_names(connection, story.applied)
    assert f"names reference {reference_id}, which it cannot be compared with: {SCORE}: expected the cells" in notice
    assert "--cells-of credit" in notice


def test_what_people_adopt_instead_ends_the_notice(engine: Engine) -> None:
    story = Released(engine)
    deployed_with(story, "99")
    adopt_now(story)
    with engine.connect() as connection:
        assert unadopted_names(connection, story.applied) == ()
