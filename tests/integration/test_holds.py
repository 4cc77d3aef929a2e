"""People hold actions of a model, a namespace or all, by the command: at once, in every alerter, until released."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.delivery.deliver import expire_overdue_effects
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.action_holds import active_holds, holds_of_model
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.engine import make_engine
from monitor.store.incidents import lock_model
from monitor.store.migrate import upgrade
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.receiver import receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_actions import Command, Waiting, command
from tests.integration.test_alerting_advance import WIDE, advance, refusals
from tests.integration.test_delivery import SECRET, action_state, ask_for_retraining, deliver_all, delivery
from tests.models.alerted import action, apply_story
from tests.services.databases import fresh_database
from tests.services.postgres import PostgresServer

__all__ = ["command"]  # the fixture

T0 = 1_780_000_200_000
HOOK = "http://127.0.0.1:9/hook"
BY = ("--why", "feature store migrates", "--as", "ada")


def apply_asking(engine: Engine) -> tuple[AppliedModel, ScriptedEvaluator]:
    applied = apply_story(engine, retraining=action("auto", HOOK), alerting=WIDE)
    story = ScriptedEvaluator()
    story.play(applied, "aaaa", start=T0)
    return applied, story


def test_a_hold_refuses_with_who_and_why(engine: Engine, command: Command) -> None:
    """The action is refused, and the commands show by whom it is held, since when and why."""
    applied, story = apply_asking(engine)
    held = command.run("hold", "credit", "--for", "4h", *BY)
    assert held.returncode == 0, held.stderr
    assert "Held: ada holds actions of credit since" in held.stdout
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert refusals(engine, applied) == [("retraining", "actions_held")]
    (shown,) = command.document("actions", "list")["actions"]
    assert shown["steps"][-1]["why"].startswith("ada holds actions of credit since ")
    assert shown["steps"][-1]["why"].endswith("feature store migrates")
    text = " ".join(command.run("actions", shown["action"]["id"]).stdout.split())
    assert "a person holds it (`driftline holds`): ada holds" in text
    assert command.run("status").stdout.count("Held: ada holds") == 1
    (model,) = command.document("status")["models"]
    assert [(hold["who"], hold["why"]) for hold in model["holds"]] == [("ada", "feature store migrates")]


@pytest.mark.parametrize(
    ("options", "granted"),
    [
        (("--all",), False),
        (("--namespace", "default"), False),
        (("credit", "--kind", "retrain"), False),
        (("--all", "--kind", "retrain"), False),
        (("credit", "--kind", "rollback"), True),
        (("fraud",), True),
        (("--namespace", "eu"), True),
    ],
)
def test_a_hold_stops_what_is_in_its_scope(
    engine: Engine, command: Command, options: tuple[str, ...], granted: bool
) -> None:
    """Nothing of another kind, another model or another namespace."""
    applied, story = apply_asking(engine)
    apply_story(engine, model="fraud")
    apply_story(engine, model="scoring", namespace="eu")
    assert command.run("hold", *options, *BY).returncode == 0
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    with engine.connect() as connection:
        assert bool(granted_actions(connection, applied.model_id)) is granted
    assert (("retraining", "actions_held") in refusals(engine, applied)) is not granted


def test_another_hold_is_another_refusal(engine: Engine, command: Command) -> None:
    """Of the same incident and kind: the second one names who holds now; in between it would have been granted."""
    applied, story = apply_asking(engine)
    command.run("hold", "credit", "--why", "first", "--as", "ada")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    replaced = command.document("hold", "credit", "--why", "second", "--as", "bob")["replaced"]
    assert [hold["why"] for hold in replaced] == ["first"]
    story.play(applied, "aa", start=T0 + 4 * 5 * MINUTE_MILLIS)
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    with engine.connect() as connection:
        whys = connection.execute(sa.select(schema.action_step.c.why).order_by(schema.action_step.c.id)).scalars().all()
    assert [why.rpartition(": ")[2] for why in whys] == ["first", "second"]
    assert len(command.document("holds")["holds"]) == 1
    assert [hold["released_by"] for hold in command.document("holds", "--past")["holds"]] == ["bob"]


def test_what_waits_to_be_sent_is_held_and_sent_once_it_is_released(engine: Engine, command: Command) -> None:
    """An alerter that runs since before the hold: not sent under it, sent after the release."""
    with receiver(SECRET) as hook:
        ask_for_retraining(engine, hook.url)
        sender = delivery(engine)
        command.run("hold", "credit", *BY)
        deliver_all(sender)
        assert hook.requests == []
        command.run("release", "credit", "--as", "ada")
        deliver_all(sender)
        assert len(hook.requests) == 1


def test_a_hold_ends_by_itself(engine: Engine, command: Command) -> None:
    """`--for 10m`: held within it, sent after it without anybody."""
    with receiver(SECRET) as hook:
        ask_for_retraining(engine, hook.url)
        command.run("hold", "--all", "--for", "10m", *BY)
        deliver_all(delivery(engine, later_millis=8 * MINUTE_MILLIS))
        assert hook.requests == []
        deliver_all(delivery(engine, later_millis=11 * MINUTE_MILLIS))
        assert len(hook.requests) == 1


def test_past_its_deadline_the_action_says_who_held_it(engine: Engine, command: Command) -> None:
    applied = ask_for_retraining(engine, HOOK)
    command.run("hold", "--namespace", "default", *BY)
    assert expire_overdue_effects(delivery(engine, later_millis=31 * MINUTE_MILLIS)) == 1
    assert action_state(engine, applied) == "expired"
    (shown,) = command.document("actions", "list")["actions"]
    why = shown["steps"][-1]["why"]
    assert why.startswith("not sent in time: ada holds actions of namespace default since ")
    assert why.endswith("until it is released: feature store migrates")


def test_nobody_approves_what_is_held(engine: Engine, command: Command) -> None:
    """The refusal names who holds it; once released it is approved."""
    waiting = Waiting(engine)
    command.run("hold", "credit", "--kind", "rollback", *BY)
    refused = command.run("actions", waiting.action.id, "approve", "--as", "bob")
    assert refused.returncode == 2
    assert "is not sent (actions_held)" in refused.stderr
    assert "ada holds rollbacks of credit" in refused.stderr
    command.run("release", "credit", "--kind", "rollback", "--as", "ada")
    assert command.run("actions", waiting.action.id, "approve", "--as", "bob").returncode == 0
    assert len(waiting.requests) == 1


def test_the_switch_of_the_process_is_stronger(engine: Engine, command: Command) -> None:
    """`actions_enabled: false` stops what nobody holds any more, and says so itself."""
    applied, story = apply_asking(engine)
    command.run("hold", "--all", *BY)
    command.run("release", "--all")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS, settings=Settings(actions_enabled=False))
    assert refusals(engine, applied) == [("retraining", "actions_disabled")]


def test_a_release_says_what_else_holds(engine: Engine, command: Command) -> None:
    """Released is what was held with that scope; a wider hold goes on, and is named."""
    apply_story(engine)
    command.run("hold", "--all", "--why", "night shift", "--as", "bob")
    nothing = command.run("release", "credit")
    assert nothing.returncode == 2
    assert "expected a hold of actions of credit, found bob holds all actions since" in nothing.stderr
    command.run("hold", "credit", "--kind", "retrain", *BY)
    released = command.run("release", "credit").stdout
    assert "Released: ada holds retrainings of credit" in released
    assert "Still held: bob holds all actions" in released


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("credit",), "expected a reason (--why TEXT)"),
        (("--why", "x"), "expected one of MODEL, --namespace NAME and --all, found none of them"),
        (("credit", "--all", "--why", "x"), "found credit, --all"),
        (("cerdit", "--why", "x"), "expected an applied model, found only: credit"),
        (("--namespace", "ue", "--why", "x"), "expected one of default"),
        (("credit", "--why", "x", "--for", "soon"), "expected a duration like"),
        (("credit", "--why", "x", "--for", "0m"), "expected more than 0h"),
        (("credit", "--why", "x", "--for", "99999999d"), "at most 3650d"),
    ],
)
def test_what_would_hold_nothing_is_refused(
    engine: Engine, command: Command, arguments: tuple[str, ...], problem: str
) -> None:
    """A misspelt switch must not look as if it held."""
    apply_story(engine)
    refused = command.run("hold", *arguments)
    assert refused.returncode == 2
    assert problem in " ".join(refused.stderr.split())
    assert command.document("holds")["holds"] == []


def test_a_hold_does_not_wait_for_an_evaluation(engine: Engine, command: Command) -> None:
    """An alerter has the model's row locked for as long as it evaluates; what it decides then is held all the same."""
    applied, _ = apply_asking(engine)
    with engine.begin() as connection:
        assert lock_model(connection, applied.model_id)
        assert command.run("hold", "credit", *BY).returncode == 0
        assert len(holds_of_model(connection, applied.model_id, now_millis=T0)) == 1


def test_what_was_held_before_holds_had_a_command_stays_held(postgres_server: PostgresServer) -> None:
    """`model.held`, set by hand, becomes a hold when the database is migrated."""
    with fresh_database(postgres_server, template="template1") as url:
        upgrade(url, to="0025")
        engine = make_engine(url)
        with engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO model (namespace, name, held) VALUES ('eu', 'a', true), ('eu', 'b', false)")
            )
        upgrade(url)
        with engine.connect() as connection:
            holds = active_holds(connection, now_millis=T0 * 2)
        engine.dispose()
    assert [(str(hold.scope.model), hold.who) for hold in holds] == [("eu/a", "driftline migrate")]
