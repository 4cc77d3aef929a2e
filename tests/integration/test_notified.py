"""Who is notified of what, on a real Postgres: the end of what was begun, in order, nothing swallowed."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.outbox import Lease, close_lease, take_lease
from monitor.types import DeliveryState, IncidentKind, Scale, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_alerting_advance import HOOK, STEP, T0, WIDE, advance
from tests.integration.test_delivery import SECRET, deliver_all, delivery
from tests.models.alerted import apply_story, body_of, deploy, rollback_action, webhook


def bodies_to(engine: Engine, name: str) -> list[dict[str, Any]]:
    """Return what one receiver of `credit` was sent or is to be sent, in order."""
    query = (
        sa.select(schema.outbox.c.body)
        .join(schema.endpoint, schema.endpoint.c.id == schema.outbox.c.endpoint_id)
        .where(schema.endpoint.c.name == f"credit/receivers/{name}")
        .order_by(schema.outbox.c.created_at)
    )
    with engine.connect() as connection:
        return [body_of(bytes(body)) for body in connection.scalars(query)]


def sent_to(engine: Engine, name: str) -> list[str]:
    return [body["type"].removeprefix("model.incident.") for body in bodies_to(engine, name)]


def states_of(engine: Engine) -> list[tuple[str, DeliveryState]]:
    query = sa.select(schema.outbox.c.event_type, schema.outbox.c.state).order_by(schema.outbox.c.created_at)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [(row.event_type.removeprefix("model.incident."), DeliveryState(row.state)) for row in rows]


def types_received(hook: Receiver) -> list[str]:
    return [str(request.content["type"]).removeprefix("model.incident.") for request in hook.requests]


def turns(engine: Engine, applied: AppliedModel, letters: str) -> None:
    """Play *letters*, each window in a turn of its own."""
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, letters, start=T0)
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)


def database_now(engine: Engine) -> int:
    with engine.connect() as connection:
        return database_now_millis(connection)


def leased(engine: Engine) -> Lease | None:
    """Take the lease of what is sent next to the only endpoint."""
    with engine.begin() as connection:
        (endpoint_id,) = connection.scalars(sa.select(schema.endpoint.c.id))
        now = database_now_millis(connection)
        return take_lease(connection, endpoint_id, owner="test", now_millis=now, lease_millis=60_000)


def rewrite_as_before(engine: Engine, *, resolved: bool) -> None:
    """Leave of the only incident what the program before knows of; *resolved*: by it, as it had notified by then."""
    with engine.begin() as connection:
        stored = msgspec.json.decode(connection.scalars(sa.select(schema.incident.c.state)).one())
        del stored["receivers_recorded"]
        changed: dict[str, Any] = {"sequence": 0}
        if resolved:
            stored |= {"status": "resolved", "resolved_end": stored["last_end"], "holds": {}}
            changed |= {"status": "resolved", "resolved_end": stored["last_end"]}
        else:
            connection.execute(sa.delete(schema.notified))
        connection.execute(sa.update(schema.incident).values(state=msgspec.json.encode(stored).decode(), **changed))


def send_due(sender: DeliverySettings) -> int:
    """Send what is due now, once; return the number of attempts."""
    return sum(deliver_to_endpoint(sender, endpoint_id) for endpoint_id in endpoints_with_work(sender))


def test_a_receiver_of_critical_is_sent_every_calming_and_the_end(engine: Engine) -> None:
    """F1: it was sent `opened` at critical; the incident calmed to warning, and its end was below `from_tier`."""
    applied = apply_story(engine, receivers=[webhook("pager", HOOK, from_tier="critical")], alerting=WIDE)
    turns(engine, applied, "cwww....")
    assert sent_to(engine, "pager") == ["opened", "calmed", "resolved"]


def test_the_end_is_sent_though_the_calming_was_held_back(engine: Engine) -> None:
    """F1: a broken field held the calming back; the end came at warning, and the pager was sent `opened` alone."""
    applied = apply_story(engine, receivers=[webhook("pager", HOOK, from_tier="critical")], alerting=WIDE)
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, "cwww....", start=T0)
    story.play(applied, " aaaaaaa", start=T0, kind=IncidentKind.DATA_QUALITY, column="region")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert sent_to(engine, "pager") == ["opened", "resolved"]


def test_a_calming_that_was_held_back_is_sent_later(engine: Engine) -> None:
    """F1: what the pager was notified of last is what is so, as soon as nothing holds it back any more."""
    applied = apply_story(engine, receivers=[webhook("pager", HOOK, from_tier="critical")], alerting=WIDE)
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, "cwwwwwwwwwww", start=T0)
    story.play(applied, " aaa        ", start=T0, kind=IncidentKind.DATA_QUALITY, column="region")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert sent_to(engine, "pager") == ["opened", "calmed"]


def test_who_was_never_notified_is_not_sent_the_end(engine: Engine) -> None:
    """The pager's tier was never reached: nothing of it, not its end either."""
    applied = apply_story(
        engine, receivers=[webhook("team", HOOK), webhook("pager", HOOK, from_tier="critical")], alerting=WIDE
    )
    turns(engine, applied, "wa....")
    assert sent_to(engine, "team") == ["opened", "escalated", "resolved"]
    assert sent_to(engine, "pager") == []


def test_an_older_message_is_never_sent_after_a_newer_one(engine: Engine) -> None:
    """F2: `opened` was answered 500 and would be repeated after `resolved`, which was sent meanwhile."""
    with receiver(SECRET, Answer(status=500), Answer()) as hook:
        applied = apply_story(engine, receivers=[webhook("team", hook.url)], alerting="freshness: 9999d")
        story = ScriptedEvaluator()
        story.play(applied, "c", start=T0)
        advance_model(engine, applied, story, Settings())
        assert send_due(replace(delivery(engine), jitter=lambda: 1.0)) == 1
        story.play(applied, " ....", start=T0)
        advance_model(engine, applied, story, Settings())
        deliver_all(delivery(engine, later_millis=10 * MINUTE_MILLIS))
        assert types_received(hook) == ["opened", "resolved"]
    assert states_of(engine) == [("opened", DeliveryState.SUPERSEDED), ("resolved", DeliveryState.DONE)]


def test_an_escalation_at_the_same_window_end_is_not_swallowed(engine: Engine) -> None:
    """F3: windows of three lengths of one end mature one after the other: warning, alert, critical."""
    scales = "[{length: 10m, step: 5m}, {length: 1h, step: 5m}, {length: 4h, step: 5m}]"
    applied = apply_story(engine, receivers=[webhook("team", HOOK)], alerting=WIDE, scales=scales)
    for letter, minutes in (("w", 10), ("a", 60), ("c", 240)):
        story = ScriptedEvaluator(scale=Scale(length=minutes, step=5))
        story.play(applied, letter, start=T0)
        advance(engine, applied, story, now=T0)
    assert sent_to(engine, "team") == ["opened", "escalated", "escalated"]


def test_a_rollback_is_notified_at_its_own_tier(engine: Engine) -> None:
    """F4: granted at a window whose only step is another version's warning: the pager was not notified of it.

    ::

        version 1  score   .     healthy from the second window on: only then is there a version to go back to
        version 2  score  cc
        version 3  income  w
    """
    applied = apply_story(
        engine,
        receivers=[webhook("team", HOOK), webhook("pager", HOOK, from_tier="critical")],
        rollback=rollback_action("dry_run", HOOK, ", keys: 1"),
        alerting=WIDE,
    )
    deploy(engine, applied, ("1", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION), ("2", T0 - HOUR_MILLIS, Stage.CANARY))
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, " .", start=T0)
    story.play(applied, "cc", start=T0, version="2", column="prediction.score", role="score")
    story.play(applied, " w", start=T0, version="3")
    advance(engine, applied, story, now=T0 + STEP)
    opened, asked = bodies_to(engine, "pager")
    assert [part["version"] for part in opened["incidents"]] == ["2"]
    assert (asked["tier"], asked["incidents"]) == ("critical", [])
    assert [(part["kind"], part["from_version"], part["to_version"]) for part in asked["actions"]] == [
        ("rollback", "2", "1")
    ]


def test_what_was_on_its_way_is_not_repeated_after_a_newer_message(engine: Engine) -> None:
    """F2: leased when the newer message was decided: that one waits for the answer, a refused one is sent no more."""
    applied = apply_story(engine, receivers=[webhook("team", HOOK)], alerting="freshness: 9999d")
    story = ScriptedEvaluator()
    story.play(applied, "c", start=T0)
    advance_model(engine, applied, story, Settings())
    under_way = leased(engine)
    assert under_way is not None
    story.play(applied, " ....", start=T0)
    advance_model(engine, applied, story, Settings())
    assert leased(engine) is None
    with engine.begin() as connection:
        now = database_now_millis(connection)
        assert close_lease(connection, under_way, state=DeliveryState.PENDING, status=500, error=None, now_millis=now)
    newer = leased(engine)
    assert newer is not None
    assert newer.effect.event_type == "model.incident.resolved"
    assert states_of(engine)[0] == ("opened", DeliveryState.SUPERSEDED)


def test_what_was_on_its_way_and_delivered_counts_as_delivered(engine: Engine) -> None:
    """The receiver has `opened`, and then the end."""
    applied = apply_story(engine, receivers=[webhook("team", HOOK)], alerting="freshness: 9999d")
    story = ScriptedEvaluator()
    story.play(applied, "c", start=T0)
    advance_model(engine, applied, story, Settings())
    under_way = leased(engine)
    assert under_way is not None
    story.play(applied, " ....", start=T0)
    advance_model(engine, applied, story, Settings())
    with engine.begin() as connection:
        now = database_now_millis(connection)
        assert close_lease(connection, under_way, state=DeliveryState.DONE, status=200, error=None, now_millis=now)
    assert states_of(engine) == [("opened", DeliveryState.DONE), ("resolved", DeliveryState.PENDING)]


def test_a_newer_message_says_what_the_older_said_of_other_incidents(engine: Engine) -> None:
    """One message opened two versions' incidents and was not delivered; one of them escalated: nothing is lost."""
    applied = apply_story(engine, receivers=[webhook("team", HOOK)], alerting=WIDE)
    story = ScriptedEvaluator(at_once=1)
    story.play(applied, "wa", start=T0)
    story.play(applied, "c ", start=T0, version="2")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    _, newer = bodies_to(engine, "team")
    shown = [(part["version"], part["tier"], part["step"], part["event"]) for part in newer["incidents"]]
    assert shown == [("1", "alert", "escalated", "trigger"), ("2", "critical", "opened", "trigger")]
    assert newer["tier"] == "critical"
    assert [state for _, state in states_of(engine)] == [DeliveryState.SUPERSEDED, DeliveryState.PENDING]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("critical", "warning", ["announced", "resolved"], id="a lower tier"),
        pytest.param("warning", "critical", ["opened", "resolved"], id="a higher one"),
        pytest.param(None, "warning", ["announced", "resolved"], id="a new receiver"),
    ],
)
def test_a_spec_that_changes_in_between_loses_no_end(
    engine: Engine, before: str | None, after: str, expected: list[str]
) -> None:
    """Who was sent the trigger is sent the end; who is to be notified only now is, while the incident is open."""
    receivers = [] if before is None else [webhook("team", HOOK, from_tier=before)]
    applied = apply_story(engine, receivers=receivers, alerting=WIDE)
    turns(engine, applied, "ww")
    applied = apply_story(engine, receivers=[webhook("team", HOOK, from_tier=after)], alerting=WIDE)
    turns(engine, applied, "  ww....")
    assert sent_to(engine, "team") == expected


@pytest.mark.parametrize("of_before", ["open", "resolved meanwhile"])
def test_who_the_program_before_notified_is_sent_the_end(engine: Engine, of_before: str) -> None:
    """It kept no rows of that, and keeps none while it still runs next to this one."""
    applied = apply_story(engine, receivers=[webhook("pager", HOOK, from_tier="critical")], alerting=WIDE)
    turns(engine, applied, "cwww")
    rewrite_as_before(engine, resolved=of_before != "open")
    turns(engine, applied, "    ....")
    assert sent_to(engine, "pager")[-1] == "resolved"
    with engine.connect() as connection:
        assert list(connection.scalars(sa.select(schema.notified.c.event))) == ["end"]


def test_a_page_that_is_refused_goes_to_the_next_receiver(engine: Engine) -> None:
    """Rule 4: the pager refuses it for good; the team is notified of the page, and that the pager was not."""
    with receiver(SECRET, Answer(status=404, body=b"no such key")) as pager, receiver(SECRET) as team:
        applied = apply_story(
            engine,
            receivers=[webhook("team", team.url, from_tier="critical"), webhook("pager", pager.url)],
            alerting="freshness: 9999d",
        )
        story = ScriptedEvaluator()
        story.play(applied, "w", start=T0)
        advance_model(engine, applied, story, Settings())
        deliver_all(delivery(engine))
        (notice,) = [request.content for request in team.requests]
    assert notice["type"] == "model.delivery.failed"
    assert notice["not_notified"] == ["pager"]
    assert str(notice["sentence"]).startswith(
        "Receiver pager was not notified (HTTP 404, answered: no such key): credit"
    )
    assert "income moved" in str(notice["sentence"])


def test_a_page_that_expires_goes_to_the_next_receiver(engine: Engine) -> None:
    """Rule 4: the pager did not answer for a day."""
    with receiver(SECRET) as team:
        applied = apply_story(
            engine,
            receivers=[webhook("pager", HOOK), webhook("team", team.url, from_tier="critical")],
            alerting="freshness: 9999d",
        )
        story = ScriptedEvaluator()
        story.play(applied, "w", start=T0)
        advance_model(engine, applied, story, Settings())
        send_due(delivery(engine))
        late = delivery(engine, later_millis=25 * HOUR_MILLIS)
        assert expire_overdue_effects(late) == 1
        deliver_all(late)
        (notice,) = [request.content for request in team.requests]
    assert notice["not_notified"] == ["pager"]
    assert "not delivered in time" in str(notice["sentence"])


def test_what_nobody_takes_is_an_error_with_all_that_it_said(engine: Engine) -> None:
    """Rule 4: every receiver was tried once; then the log has it, and the counter of lost messages goes up."""
    before = REGISTRY.get_sample_value("driftline_messages_lost_total") or 0.0
    with receiver(SECRET, Answer(status=404)) as hook, structlog.testing.capture_logs() as lines:
        applied = apply_story(
            engine, receivers=[webhook("team", hook.url), webhook("pager", hook.url)], alerting="freshness: 9999d"
        )
        story = ScriptedEvaluator()
        story.play(applied, "w", start=T0)
        advance_model(engine, applied, story, Settings())
        deliver_all(delivery(engine))
        tried = sorted(body_of(request.body)["not_notified"] for request in hook.requests)
    assert tried == [[], [], ["pager"], ["team"]]
    lost = [line for line in lines if line["event"] == "message.lost"]
    assert [line["log_level"] for line in lost] == ["error", "error"]
    assert all("income moved" in line["message"] for line in lost)
    assert REGISTRY.get_sample_value("driftline_messages_lost_total") == before + 2


def test_a_receiver_that_is_away_for_days_is_not_waited_for_in_silence(engine: Engine) -> None:
    """Rule 4: newer messages take the place of older ones and none expires; after a day another is notified."""
    with receiver(SECRET) as team:
        applied = apply_story(
            engine,
            receivers=[webhook("pager", HOOK), webhook("team", team.url, from_tier="critical")],
            alerting="freshness: 9999d",
        )
        story = ScriptedEvaluator()
        now = database_now(engine)
        for letter, hours in (("w", 0), (" a", 20), ("  w", 25)):
            story.play(applied, letter, start=T0)
            advance(engine, applied, story, now=now + hours * HOUR_MILLIS)
            late = delivery(engine, later_millis=hours * HOUR_MILLIS)
            expire_overdue_effects(late)
            deliver_all(replace(late, jitter=lambda: 1.0))
        (notice,) = [request.content for request in team.requests]
    assert notice["not_notified"] == ["pager"]
    assert "still tried" in str(notice["sentence"])
