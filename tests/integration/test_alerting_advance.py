"""One model advanced on a real Postgres: incidents, refusals, actions and messages committed together."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import AdvanceReport, advance_model
from monitor.evaluate import EvaluationBatch
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.engine import make_engine
from monitor.store.incidents import newest_incidents
from monitor.store.series import ensure_series
from monitor.types import ActionKind, IncidentKind, SeriesKey, Stage, Statistic
from monitor.units import MINUTE_MILLIS
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import action, apply_story, body_of, deploy, rollback_action, webhook
from tests.models.holding import hold_actions
from tests.oracle.stored import refused_actions, steps_of_incident

T0 = 1_780_000_000_000 // (60 * MINUTE_MILLIS) * (60 * MINUTE_MILLIS)
STEP = 5 * MINUTE_MILLIS
HOUR = 60 * MINUTE_MILLIS
DAY = 24 * HOUR
HOOK = "http://127.0.0.1:9/hook"
WIDE = "freshness: 7d"


@dataclass(frozen=True)
class Sent:
    id: str
    type: str
    endpoint: str
    body: dict[str, Any]


def outbox_of(engine: Engine) -> list[Sent]:
    query = (
        sa.select(schema.outbox, schema.endpoint.c.name)
        .join(schema.endpoint, schema.endpoint.c.id == schema.outbox.c.endpoint_id)
        .order_by(schema.outbox.c.created_at, schema.outbox.c.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [Sent(str(row.id), row.event_type, row.name, body_of(bytes(row.body))) for row in rows]


def steps_of(engine: Engine, applied: AppliedModel) -> dict[tuple[str, IncidentKind], list[str]]:
    with engine.connect() as connection:
        return {
            (row.version, row.kind): steps_of_incident(connection, row.id)
            for row in newest_incidents(connection, applied.model_id)
        }


def refusals(engine: Engine, applied: AppliedModel) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return refused_actions(connection, applied.model_id)


def advance(
    engine: Engine, applied: AppliedModel, story: ScriptedEvaluator, *, now: int, settings: Settings | None = None
) -> AdvanceReport:
    return advance_model(engine, applied, story, settings or Settings(), now_millis=now)


def test_drift_is_detected_notified_and_acted_on_once(engine: Engine) -> None:
    """Warning, alert, calm, resolved; a message per step and notified receiver; one retraining request."""
    applied = apply_story(
        engine,
        receivers=[webhook("everyone", HOOK), webhook("pager", HOOK, from_tier="critical")],
        retraining=action("auto", HOOK),
        alerting=WIDE,
    )
    story = ScriptedEvaluator(at_once=2)
    story.play(applied, "wwaaa...", start=T0)
    report = advance(engine, applied, story, now=T0 + HOUR)
    assert (report.window_ends, report.granted) == (8, 1)
    assert steps_of(engine, applied) == {
        ("1", IncidentKind.DRIFT): [
            "opened WARNING finding_endured",
            "escalated ALERT tier_higher",
            "resolved NONE calm_long_enough",
        ]
    }
    sent = outbox_of(engine)
    assert [
        (delivery.type, delivery.endpoint) for delivery in sent if delivery.endpoint.endswith("receivers/pager")
    ] == []
    to_everyone = [delivery for delivery in sent if delivery.endpoint == "credit/receivers/everyone"]
    assert sorted(delivery.type for delivery in to_everyone) == [
        "model.incident.escalated",
        "model.incident.opened",
        "model.incident.resolved",
    ]
    (request,) = [delivery for delivery in sent if delivery.endpoint == "credit/actions/retraining"]
    assert request.type == request.body["type"] == "model.retrain.requested"
    assert request.body["action_id"] == request.id
    assert request.body["dry_run"] is False
    assert request.body["model"] == {"namespace": "default", "name": "credit", "version": "1"}
    assert advance(engine, applied, story, now=T0 + HOUR) == AdvanceReport()
    assert len(outbox_of(engine)) == len(sent)


def test_a_message_answers_what_people_ask(engine: Engine) -> None:
    """What, how bad, since when, since which version, likely cause, next step, runbook, owner, the sentence."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    deploy(engine, applied, ("1", T0 - HOUR, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "a", start=T0)
    advance(engine, applied, story, now=T0 + MINUTE_MILLIS)
    (sent,) = outbox_of(engine)
    (incident,) = sent.body["incidents"]
    assert sent.body["tier"] == "alert"
    assert sent.body["owner"] == "credit team"
    assert sent.body["runbook"] == "https://example.org/runbook"
    assert incident["what"][0]["column"] == "income"
    assert incident["since_version"].startswith("1 in production since ")
    assert incident["likely_cause"] == "the inputs moved: income"
    assert incident["next_step"]
    assert "income moved: PSI 0.41" in str(sent.body["sentence"])


def test_one_message_per_model_and_window_end(engine: Engine) -> None:
    """Two versions and two kinds bad at one end are one message."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    story = ScriptedEvaluator()
    story.play(applied, "w", start=T0)
    story.play(applied, "a", start=T0, version="2")
    story.play(applied, "c", start=T0, kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + MINUTE_MILLIS)
    (sent,) = outbox_of(engine)
    assert len(sent.body["incidents"]) == 3
    assert sent.body["tier"] == "critical"


def test_the_same_decisions_get_the_same_ids(engine: Engine) -> None:
    """After a restore that lost everything decided, the same windows give the same ids and bodies."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK), alerting=WIDE)
    story = ScriptedEvaluator()
    story.play(applied, "wa", start=T0)
    advance(engine, applied, story, now=T0 + HOUR)
    first = {(delivery.id, str(delivery.body)) for delivery in outbox_of(engine)}
    with engine.begin() as connection:
        for table in ("outbox", "action", "transition", "incident", "evaluation", "scale_progress"):
            connection.execute(sa.delete(getattr(schema, table)))
    advance(engine, applied, story, now=T0 + HOUR)
    assert {(delivery.id, str(delivery.body)) for delivery in outbox_of(engine)} == first
    assert len(first) == 3


def test_a_broken_field_is_data_quality_and_stops_every_action(engine: Engine) -> None:
    """Drift of the same model is held back with the reason; refusals are stored, each once."""
    applied = apply_story(
        engine,
        receivers=[webhook("everyone", HOOK)],
        retraining=action("auto", HOOK),
        rollback=rollback_action("auto", HOOK),
        alerting=WIDE,
    )
    story = ScriptedEvaluator()
    story.play(applied, "cccc", start=T0, kind=IncidentKind.DATA_QUALITY, column="region", statistic=Statistic.UNSEEN)
    story.play(applied, "cccc", start=T0, kind=IncidentKind.DRIFT)
    advance(engine, applied, story, now=T0 + HOUR)
    assert steps_of(engine, applied)["1", IncidentKind.DRIFT] == ["opened CRITICAL inhibited_by_data_quality"]
    assert refusals(engine, applied) == [
        ("retraining", "data_quality_incident"),
        ("retraining", "data_quality_open"),
        ("rollback", "data_quality_incident"),
        ("rollback", "data_quality_open"),
    ]
    (sent,) = outbox_of(engine)
    assert [incident["kind"] for incident in sent.body["incidents"]] == ["data_quality"]


def test_late_truths_of_a_replaced_version_are_notified_once(engine: Engine) -> None:
    """Its windows mature one by one after version 2 took over: one page and one close, not one of each per window."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    deploy(engine, applied, ("1", T0 - DAY, Stage.PRODUCTION), ("2", T0 + 6 * STEP, Stage.PRODUCTION))
    for round_number in range(5):
        story = ScriptedEvaluator()
        story.play(applied, "c", start=T0 + round_number * STEP, kind=IncidentKind.PERFORMANCE)
        story.play(applied, ".", start=T0 + (10 + round_number) * STEP, version="2")
        with engine.begin() as connection:
            connection.execute(sa.delete(schema.scale_progress))
        advance(engine, applied, story, now=T0 + HOUR)
    sent = sorted(outbox_of(engine), key=lambda delivery: delivery.type)
    assert [delivery.type for delivery in sent] == ["model.incident.opened", "model.incident.resolved"]
    assert "serves no more" in str(sent[1].body["sentence"])


def test_a_performance_drop_without_a_version_change_asks_for_retraining(engine: Engine) -> None:
    """No rollback, with the reason; a retraining instead."""
    applied = apply_story(
        engine, retraining=action("auto", HOOK), rollback=rollback_action("auto", HOOK), alerting=WIDE
    )
    deploy(engine, applied, ("1", T0 - 30 * DAY, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "cc", start=T0, kind=IncidentKind.PERFORMANCE)
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        granted = granted_actions(connection, applied.model_id)
    assert [request.kind for request in granted] == [ActionKind.RETRAINING]
    assert ("rollback", "no_version_change") in refusals(engine, applied)


@pytest.mark.parametrize("switch", ["global", "model"])
def test_the_kill_switches_hold_actions_and_not_messages(engine: Engine, switch: str) -> None:
    """Held: people are notified, nothing is asked for, the refusal is stored once for all windows."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK), alerting=WIDE)
    if switch == "model":
        hold_actions(engine)
    story = ScriptedEvaluator()
    story.play(applied, "aaaaa", start=T0)
    advance(engine, applied, story, now=T0 + HOUR, settings=Settings(actions_enabled=switch != "global"))
    expected = "actions_disabled" if switch == "global" else "actions_held"
    assert refusals(engine, applied) == [("retraining", expected)]
    assert [delivery.endpoint for delivery in outbox_of(engine)] == ["credit/receivers/everyone"]


def test_catching_up_acts_on_nothing_old(engine: Engine) -> None:
    """Windows of yesterday become an incident marked stale; no message, no action; the fresh one speaks."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK))
    story = ScriptedEvaluator()
    story.play(applied, "aaa", start=T0)
    advance(engine, applied, story, now=T0 + DAY)
    assert steps_of(engine, applied)["1", IncidentKind.DRIFT] == ["opened ALERT stale"]
    assert refusals(engine, applied) == [("retraining", "stale")]
    assert outbox_of(engine) == []
    story.play(applied, "a", start=T0 + DAY)
    advance(engine, applied, story, now=T0 + DAY + MINUTE_MILLIS)
    assert sorted(delivery.type for delivery in outbox_of(engine)) == [
        "model.incident.announced",
        "model.retrain.requested",
    ]


def test_two_alerters_make_one_incident_and_one_action(database_url: str, engine: Engine) -> None:
    """F23: both advance the same model as fast as they can, one window end per transaction."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK), alerting=WIDE)
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, "waaaccaa....wwaa" * 3, start=T0)
    engines = [make_engine(database_url) for _ in range(2)]
    start = threading.Barrier(2)
    reports: list[AdvanceReport] = []

    def work(own: Engine) -> None:
        start.wait()
        for _ in range(40):
            reports.append(advance(own, applied, story, now=T0 + DAY))

    threads = [threading.Thread(target=work, args=(own,)) for own in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in engines:
        own.dispose()
    advance(engine, applied, story, now=T0 + DAY)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.incident)).scalar() == 1
        assert len(granted_actions(connection, applied.model_id)) == 1
    assert any(report.busy for report in reports) or sum(bool(report.window_ends) for report in reports) >= 1
    sent = outbox_of(engine)
    assert len({delivery.id for delivery in sent}) == len(sent)
    assert len([delivery for delivery in sent if delivery.type == "model.retrain.requested"]) == 1


def test_the_lock_does_not_stop_ingest(engine: Engine) -> None:
    """While an alerter holds the model's row, rows that refer to the model can be inserted."""
    applied = apply_story(engine)

    @dataclass
    class Inserting(ScriptedEvaluator):
        seen: int = 0

        def evaluate_model(
            self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int
        ) -> EvaluationBatch:
            with engine.connect() as other:
                other.execute(sa.text("SET lock_timeout = '500ms'"))
                self.seen = len(ensure_series(other, {SeriesKey(applied.model_id, "9")}))
                other.commit()
            return super().evaluate_model(connection, applied, now_millis=now_millis)

    evaluator = Inserting()
    advance_model(engine, applied, evaluator, Settings(), now_millis=T0)
    assert evaluator.seen == 1


def test_a_retired_version_closes_its_incidents_and_blocks_nothing(engine: Engine) -> None:
    """Nothing will ever show it calm: its broken field must not hold the model's actions for ever.

    ::

        version 1  production  . . . . . . a a
        version 2  canary      q q q | retired     q: a broken field; its late windows move nothing
                               q q q   q q
    """
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK), alerting=WIDE)
    deploy(
        engine,
        applied,
        ("1", T0 - DAY, Stage.PRODUCTION),
        ("2", T0 - HOUR, Stage.CANARY),
        ("2", T0 + 3 * STEP, Stage.RETIRED),
    )
    story = ScriptedEvaluator()
    story.play(applied, "......aa", start=T0)
    story.play(applied, "aaaaa", start=T0, version="2", kind=IncidentKind.DATA_QUALITY)
    report = advance(engine, applied, story, now=T0 + HOUR)
    steps = steps_of(engine, applied)
    assert steps["2", IncidentKind.DATA_QUALITY] == ["opened ALERT finding_endured", "resolved NONE version_retired"]
    assert steps["1", IncidentKind.DRIFT] == ["opened ALERT finding_endured"]
    assert report.granted == 1, "the retired version's broken field holds nothing back"
