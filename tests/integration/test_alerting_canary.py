"""A canary next to the version in production, on a real Postgres: rolled back, put to a person, or left alone."""

import pytest
from sqlalchemy import Engine

from alerting.actions.reasons import Ground
from monitor.clock import iso_utc
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.types import ActionKind, ActionState, IncidentKind, Stage
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_alerting_advance import (
    DAY,
    HOOK,
    HOUR,
    STEP,
    T0,
    WIDE,
    advance,
    outbox_of,
    refusals,
)
from tests.models.alerted import action, apply_story, body_of, deploy, webhook


def canary_story(engine: Engine, mode: str) -> tuple[AppliedModel, ScriptedEvaluator]:
    """v1 healthy in production, v2 a canary whose score shifts and then whose accuracy falls under its gate."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], rollback=action(mode, HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 - HOUR, Stage.CANARY))
    story = ScriptedEvaluator()
    return applied, story


@pytest.mark.parametrize("mode", ["auto", "dry_run"])
def test_a_bad_canary_is_rolled_back_when_two_keys_agree(engine: Engine, mode: str) -> None:
    """First it waits for a person, then labels prove it and it goes out; a dry run writes the same and sends nothing.

    ::

        version 2  score     c c c c c      version 1  score     . . . . .
                   accuracy      c c c                 accuracy      . . .
    """
    applied, story = canary_story(engine, mode)
    story.play(applied, ".....", start=T0, version="1", column="score", role="score")
    story.play(applied, "  ...", start=T0, version="1", kind=IncidentKind.PERFORMANCE)
    story.play(applied, "ccccc", start=T0, version="2", column="score", role="score")
    story.play(applied, "  ccc", start=T0, version="2", kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        row, waited = sorted(granted_actions(connection, applied.model_id), key=lambda granted: granted.reason)
    assert (waited.reason, row.reason) == (Ground.SHIFT_WITHOUT_LABELS, Ground.QUALITY_WORSE)
    assert (row.kind, row.from_version, row.to_version) == (ActionKind.ROLLBACK, "2", "1")
    expected = (ActionState.SUPERSEDED, ActionState.DISPATCHING)
    assert (waited.state, row.state) == (expected if mode == "auto" else (ActionState.DRY_RUN,) * 2)
    assert ("rollback", "promotion_already_rolled_back") in refusals(engine, applied)
    requests = [delivery for delivery in outbox_of(engine) if delivery.endpoint == "credit/actions/rollback"]
    assert len(requests) == (1 if mode == "auto" else 0)
    request = body_of(row.request.encode())
    assert request["type"] == "model.rollback.requested"
    assert (request["from_version"], request["to_version"], request["dry_run"]) == ("2", "1", mode == "dry_run")


@pytest.mark.parametrize(
    ("production", "expected"),
    [("...", None), ("ccc", "common_cause"), ("???", "target_blind"), ("   ", "target_blind")],
)
def test_without_labels_a_person_decides(engine: Engine, production: str, expected: str | None) -> None:
    """Production is calm at the same time: hold the canary and ask; production shifts too, or is blind: not even that.

    It was rolled back, with `keys: 2`, though nothing said that the canary was worse.
    """
    applied, story = canary_story(engine, "auto")
    story.play(applied, production, start=T0, version="1", column="score", role="score")
    story.play(applied, "ccc", start=T0, version="2", column="score", role="score")
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        granted = granted_actions(connection, applied.model_id)
    assert not [delivery for delivery in outbox_of(engine) if delivery.endpoint == "credit/actions/rollback"]
    if expected is not None:
        assert granted == ()
        assert ("rollback", expected) in refusals(engine, applied)
        return
    (waiting,) = granted
    assert (waiting.state, waiting.expires_at) == (ActionState.AWAITING_APPROVAL, T0 + 5 * HOUR)
    message = outbox_of(engine)[0].body
    (shown,) = message["actions"]
    assert shown["state"] == "awaiting_approval"
    assert f"hold 2: give it no more traffic; until {iso_utc(T0 + 5 * HOUR)} approve with" in message["sentence"]
    assert f"`driftline actions {waiting.id[:8]} approve`" in shown["explanation"]


def test_no_rollback_to_a_version_that_was_replaced_because_it_was_bad(engine: Engine) -> None:
    """Version 1 is under its floor, version 2 takes over as the cure and is bad too: nowhere to go back to.

    ::

        version 1  c c | replaced: its incident is closed, not cured
        version 2      | c c c
    """
    applied = apply_story(engine, rollback=action("auto", HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 + 2 * STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "cc", start=T0, kind=IncidentKind.PERFORMANCE)
    story.play(applied, "   ccc", start=T0, version="2", column="score", role="score")
    story.play(applied, "   ccc", start=T0, version="2", kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        assert granted_actions(connection, applied.model_id) == ()
    assert ("rollback", "target_flagged") in refusals(engine, applied)
