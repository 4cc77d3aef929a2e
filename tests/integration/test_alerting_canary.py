"""A canary next to the version in production, on a real Postgres: rolled back, put to a person, or left alone."""

from collections.abc import Callable

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.actions.reasons import Ground
from monitor.clock import iso_utc
from monitor.reference.layout import SLOTS
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.series import ensure_series
from monitor.types import ActionKind, ActionState, IncidentKind, SeriesKey, Stage
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
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
from tests.models.alerted import action, apply_story, body_of, deploy, rollback_action, webhook


def canary_story(engine: Engine, mode: str) -> tuple[AppliedModel, ScriptedEvaluator]:
    """v1 healthy in production, v2 a canary whose score shifts and then whose accuracy falls under its gate."""
    applied = apply_story(
        engine, receivers=[webhook("everyone", HOOK)], rollback=rollback_action(mode, HOOK), alerting=WIDE
    )
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
    story.play(applied, "..", start=T0, version="1", column="score", role="score")
    story.play(applied, "cc", start=T0, version="2", column="score", role="score")
    advance(engine, applied, story, now=T0 + HOUR)
    labels = T0 + 2 * STEP
    for version, letters in (("1", "..."), ("2", "ccc")):
        story.play(applied, letters, start=labels, version=version, column="score", role="score")
        story.play(applied, letters, start=labels, version=version, kind=IncidentKind.PERFORMANCE)
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
    ("rules", "expected"),
    [
        pytest.param(rollback_action, (ActionState.DISPATCHING, Ground.WORSE_SIDE_BY_SIDE), id="random split"),
        pytest.param(action, (ActionState.AWAITING_APPROVAL, Ground.REQUESTS_MAY_DIFFER), id="split not known"),
    ],
)
def test_in_a_warm_up_labels_of_both_versions_are_enough_on_a_random_split(
    engine: Engine, rules: Callable[[str, str], str], expected: tuple[ActionState, Ground]
) -> None:
    """No shift of the score counts; the labels of the same windows prove it, the inputs of both are calm.

    ::

        version 2  inputs    . .      version 1  inputs    . .
                   accuracy  c c                 accuracy  . .
    """
    applied = apply_story(engine, rollback=rules("auto", HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 - HOUR, Stage.CANARY))
    story = ScriptedEvaluator()
    for version, letters in (("1", ".."), ("2", "cc")):
        story.play(applied, "..", start=T0, version=version)
        story.play(applied, letters, start=T0, version=version, kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        (row,) = granted_actions(connection, applied.model_id)
    assert (row.state, row.reason) == expected


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


def count_scores(engine: Engine, applied: AppliedModel, version: str, quarters: list[int], *, end: int = T0) -> None:
    """Store two minutes of scores, by quarters of 0 to 1, in the window that ends at *end*."""
    key = SeriesKey(applied.model_id, version)
    counts = np.array([0] * (2 + SLOTS) + quarters + [0] * SLOTS)
    with engine.begin() as connection:
        series_id = ensure_series(connection, {key})[key]
        for minute in (end - 3 * MINUTE_MILLIS, end - 2 * MINUTE_MILLIS):
            connection.execute(
                sa.insert(schema.pane).values(
                    series_id=series_id,
                    cells_id=applied.cells[-1].cells_id,
                    start=minute,
                    span=1,
                    events=int(counts.sum()),
                    sampled=0,
                    counts=encode_counts(counts),
                )
            )


@pytest.mark.parametrize(
    ("quarters", "ground"),
    [([3500, 0, 0, 1500], Ground.RECALIBRATED), ([1000, 1000, 1500, 1500], Ground.SHIFT_WITHOUT_LABELS)],
)
def test_a_score_alone_is_compared_by_what_reaches_the_threshold(
    engine: Engine, quarters: list[int], ground: Ground
) -> None:
    """Panes of both versions in the same ten minutes: 30 % over 0.5 in production; pushed away from 0.5, or others."""
    applied, story = canary_story(engine, "auto")
    count_scores(engine, applied, "1", [1500, 2000, 1000, 500])
    count_scores(engine, applied, "2", quarters)
    story.play(applied, "..", start=T0, version="1", column="score", role="score")
    story.play(applied, "cc", start=T0, version="2", column="score", role="score")
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        (waiting,) = granted_actions(connection, applied.model_id)
    assert (waiting.state, waiting.reason) == (ActionState.AWAITING_APPROVAL, ground)


def bad_canary(engine: Engine, model: str, *, start: int, settings: Settings) -> AppliedModel:
    """Advance a model of its own whose canary is proven worse from *start* on; return it."""
    applied = apply_story(engine, model=model, rollback=rollback_action("auto", HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 - HOUR, Stage.CANARY))
    story = ScriptedEvaluator()
    for version, letters in (("1", "..."), ("2", "ccc")):
        story.play(applied, letters, start=start, version=version, column="score", role="score")
        story.play(applied, letters, start=start, version=version, kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=start + 3 * STEP, settings=settings)
    return applied


def sent_and_refused(engine: Engine, applied: AppliedModel) -> tuple[int, set[tuple[str, str]]]:
    with engine.connect() as connection:
        granted = granted_actions(connection, applied.model_id)
    sent = sum(granted_action.state is ActionState.DISPATCHING for granted_action in granted)
    return sent, set(refusals(engine, applied))


def test_two_models_bad_within_ten_minutes_have_a_common_cause(engine: Engine) -> None:
    """The second is not rolled back, nor retrained; a third, three quarters of an hour later, stands alone again."""
    settings = Settings(common_cause_models=2, actions_per_hour=9)
    first = bad_canary(engine, "credit", start=T0, settings=settings)
    second = bad_canary(engine, "fraud", start=T0 + 2 * STEP, settings=settings)
    third = bad_canary(engine, "churn", start=T0 + 9 * STEP, settings=settings)
    assert sent_and_refused(engine, first)[0] == 1, "when it was decided no other was bad"
    assert sent_and_refused(engine, second) == (0, {("rollback", "common_cause"), ("retraining", "mode_off")})
    assert sent_and_refused(engine, third)[0] == 1


def test_the_models_share_one_hourly_budget(engine: Engine) -> None:
    """One action an hour: the second model's waits for the hour to pass."""
    settings = Settings(actions_per_hour=1)
    first = bad_canary(engine, "credit", start=T0, settings=settings)
    second = bad_canary(engine, "fraud", start=T0 + 9 * STEP, settings=settings)
    third = bad_canary(engine, "churn", start=T0 + 18 * STEP, settings=settings)
    assert sent_and_refused(engine, first)[0] == 1
    assert sent_and_refused(engine, second) == (0, {("rollback", "hourly_budget_spent"), ("retraining", "mode_off")})
    assert sent_and_refused(engine, third)[0] == 1


def test_no_rollback_to_a_version_that_was_replaced_because_it_was_bad(engine: Engine) -> None:
    """Version 1 is under its floor, version 2 takes over as the cure and is bad too: nowhere to go back to.

    ::

        version 1  c c | replaced: its incident is closed, not cured
        version 2      | c c c
    """
    applied = apply_story(engine, rollback=rollback_action("auto", HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 + 2 * STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "cc", start=T0, kind=IncidentKind.PERFORMANCE)
    story.play(applied, "   ccc", start=T0, version="2", column="score", role="score")
    story.play(applied, "   ccc", start=T0, version="2", kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        assert granted_actions(connection, applied.model_id) == ()
    assert ("rollback", "target_flagged") in refusals(engine, applied)
