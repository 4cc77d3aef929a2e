"""What is kept of a closed incident on a real Postgres: how it ended, at worst what, in which columns, for how long."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel
from monitor.store.schema import transition
from monitor.store.views.incidents import list_heads
from monitor.types import IncidentKind, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import apply_story, deploy, webhook

T0 = 1_780_000_000_000 // HOUR_MILLIS * HOUR_MILLIS
STEP = 5 * MINUTE_MILLIS
WIDE = "close_after: 2\n  freshness: 9999d"
HOOK = "http://127.0.0.1:9/hook"
NOT_CURED = "credit 1: drift incident closed, not cured: this version serves no more"


def sentences(engine: Engine) -> dict[IncidentKind, str]:
    with engine.connect() as connection:
        return {head.kind: head.sentence for head in list_heads(connection, open_only=False, limit=50)}


def advance(engine: Engine, applied: AppliedModel, story: ScriptedEvaluator, *, now: int) -> None:
    advance_model(engine, applied, story, Settings(), now_millis=now)


@pytest.mark.parametrize("at_once", [1, 50])
def test_a_closed_incident_says_what_it_was(engine: Engine, at_once: int) -> None:
    """Also the column that had recovered before the others did."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    story = ScriptedEvaluator(at_once=at_once)
    story.play(applied, "cc..........", start=T0)
    story.play(applied, "..aaa.......", start=T0, column="region")
    story.play(applied, "www.........", start=T0, kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert sentences(engine) == {
        IncidentKind.DRIFT: "credit 1: drift incident resolved; at worst critical, in income, region, open for 35 min.",
        IncidentKind.PERFORMANCE: "credit 1: performance incident resolved; at worst warning, open for 25 min.",
    }


@pytest.mark.parametrize("notified", [True, False])
def test_one_of_a_version_that_serves_no_more_was_not_cured(engine: Engine, notified: bool) -> None:
    """So it stays when the version comes back and is calm; the step says it too, also where nobody was notified."""
    applied = apply_story(
        engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE if notified else "close_after: 2"
    )
    serving = (("1", T0 - DAY_MILLIS), ("2", T0 + 2 * STEP), ("1", T0 + 8 * STEP))
    deploy(engine, applied, *((version, since, Stage.PRODUCTION) for version, since in serving))
    story = ScriptedEvaluator()
    story.play(applied, "cca", start=T0)
    story.play(applied, "......", start=T0, version="2")
    advance(engine, applied, story, now=T0 + DAY_MILLIS)
    expected = f"{NOT_CURED}; at worst critical, in income, open for 15 min."
    assert sentences(engine) == {IncidentKind.DRIFT: expected}
    story.play(applied, "....", start=T0 + 8 * STEP)
    advance(engine, applied, story, now=T0 + DAY_MILLIS)
    assert sentences(engine)[IncidentKind.DRIFT] == expected
    with engine.connect() as connection:
        assert f"{NOT_CURED}." in connection.scalars(sa.select(transition.c.sentence)).all()
