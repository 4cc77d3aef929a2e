"""What people decide about actions: approved, rejected, expired, with a result; by the command, on a real Postgres."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.deliver import expire_overdue_effects
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.actions import ActionRow, granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.types import ActionState, IncidentKind, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_alerting_canary import count_scores
from tests.integration.test_delivery import SECRET, deliver_all, delivery
from tests.models.alerted import apply_story, body_of, deploy, rollback_action, webhook
from tests.models.holding import hold_actions
from tests.services.command import document, run

HOOK = "http://127.0.0.1:9/hook"
STEP = 5 * MINUTE_MILLIS
WHO = ("--as", "ada")


@dataclass(frozen=True)
class Command:
    """`driftline` on the test's database, in an empty folder."""

    url: str
    directory: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(self.url, *arguments, directory=self.directory)

    def document(self, *arguments: str) -> Any:
        return document(self.url, *arguments, directory=self.directory)


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


class Waiting:
    """A canary whose score shifted: a rollback that waits for approval, decided now.

    In mode *approve* labels prove it too.
    """

    def __init__(
        self, engine: Engine, *, url: str = HOOK, receivers: tuple[str, ...] = (), extra: str = "", mode: str = "auto"
    ) -> None:
        self.engine = engine
        self.applied: AppliedModel = apply_story(
            engine, receivers=receivers, rollback=rollback_action(mode, url, extra), alerting="freshness: 9999d"
        )
        with engine.connect() as connection:
            now = database_now_millis(connection)
        self.start = now // STEP * STEP - 4 * STEP
        deploy(
            engine,
            self.applied,
            ("1", self.start - 10 * DAY_MILLIS, Stage.PRODUCTION),
            ("2", self.start - HOUR_MILLIS, Stage.CANARY),
        )
        self.story = ScriptedEvaluator()
        self.story.play(self.applied, "..", start=self.start, version="1", column="score", role="score")
        self.story.play(self.applied, "cc", start=self.start, version="2", column="score", role="score")
        if mode == "approve":
            self.story.play(self.applied, "..", start=self.start, version="1", kind=IncidentKind.PERFORMANCE)
            self.story.play(self.applied, "cc", start=self.start, version="2", kind=IncidentKind.PERFORMANCE)
        self.advance()

    def advance(self) -> None:
        advance_model(self.engine, self.applied, self.story, Settings())

    @property
    def action(self) -> ActionRow:
        with self.engine.connect() as connection:
            (row,) = granted_actions(connection, self.applied.model_id)
        return row

    @property
    def requests(self) -> list[dict[str, Any]]:
        query = sa.select(schema.outbox.c.body).where(schema.outbox.c.event_type == "model.rollback.requested")
        with self.engine.connect() as connection:
            return [body_of(bytes(body)) for body in connection.execute(query).scalars()]


def steps(shown: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(step["state"], step["who"], step["why"]) for step in shown["steps"]]


def test_an_approved_action_is_sent_with_who_and_why(engine: Engine, command: Command) -> None:
    """It waits, is listed, approved, delivered once under its own id, and a person says what came of it."""
    with receiver(SECRET) as hook:
        waiting = Waiting(engine, url=hook.url)
        assert waiting.requests == []
        listed = command.document("actions", "list", "--waiting")["actions"]
        assert [(shown["action"]["id"], shown["action"]["state"]) for shown in listed] == [
            (waiting.action.id, "awaiting_approval")
        ]
        short = waiting.action.id[:8]
        shown = command.document("actions", short, "approve", "--why", "bad scores", *WHO)
        assert steps(shown) == [
            ("awaiting_approval", None, "shift_without_labels"),
            ("dispatching", "ada", "bad scores"),
        ]
        (request,) = waiting.requests
        assert (request["from_version"], request["to_version"], request["dry_run"]) == ("2", "1", False)
        deliver_all(delivery(engine))
        assert hook.identifiers == {waiting.action.id}
    assert waiting.action.state is ActionState.ACCEPTED
    again = command.run("actions", short, "approve", *WHO)
    assert again.returncode == 2
    assert "expected one that waits for approval, found one that is accepted" in again.stderr
    shown = command.document("actions", short, "result", "succeeded", "--why", "1 serves", *WHO)
    assert steps(shown)[2:] == [("accepted", None, ""), ("succeeded", "ada", "1 serves")]


def test_in_mode_approve_proof_waits_too(engine: Engine, command: Command) -> None:
    """What would be sent at once in mode auto is delivered, signed, only once a person approves it."""
    with receiver(SECRET) as hook:
        waiting = Waiting(engine, url=hook.url, mode="approve")
        assert (waiting.action.state, waiting.action.reason) == (ActionState.AWAITING_APPROVAL, "quality_worse")
        deliver_all(delivery(engine))
        assert hook.requests == []
        command.run("actions", waiting.action.id, "approve", *WHO)
        deliver_all(delivery(engine))
        (request,) = hook.requests
        assert (request.content["type"], request.content["to_version"]) == ("model.rollback.requested", "1")
        assert hook.identifiers == {waiting.action.id}
    assert waiting.action.state is ActionState.ACCEPTED


def test_a_rejected_action_is_never_sent_nor_asked_for_again(engine: Engine, command: Command) -> None:
    """The reason is required, stored and shown; the next windows on the same grounds are refused."""
    waiting = Waiting(engine)
    action_id = waiting.action.id
    without = command.run("actions", action_id, "reject", *WHO)
    assert (without.returncode, "expected a reason to reject it (--why TEXT), found none" in without.stderr) == (
        2,
        True,
    )
    text = command.run("actions", "reject", action_id[:6], "--why", "recalibrated on purpose", *WHO).stdout
    assert "rejected" in text
    assert "recalibrated on purpose" in text
    start = waiting.start + 2 * STEP
    waiting.story.play(waiting.applied, ".", start=start, version="1", column="score", role="score")
    waiting.story.play(waiting.applied, "c", start=start, version="2", column="score", role="score")
    waiting.advance()
    assert waiting.action.state is ActionState.REJECTED
    answered = (schema.action.c.state == "refused", schema.action.c.reason == "already_answered")
    with engine.connect() as connection:
        refused = connection.execute(sa.select(schema.action.c.id).where(*answered)).scalar_one()
    too_late = command.run("actions", refused, "reject", *WHO)
    assert "found one that is refused: nobody can approve or reject it any more" in too_late.stderr
    assert "--why" not in too_late.stderr


def test_who_decides_sees_the_newest_evidence(engine: Engine, command: Command) -> None:
    """Held before its decisions could be compared, it said "its predictions differ" of a recalibrated version for ever.

    Nobody is notified again of what waits already, and what is read twice is recorded once.

    ::

        version 2  score      c c | c    | c       decisions the same in the third window
                   accuracy       |      | .       fine in the fourth
    """
    waiting = Waiting(engine, receivers=(webhook("people", HOOK),))
    held, pages = waiting.action, messages(engine)
    assert held.reason == "shift_without_labels"
    again(waiting, end=waiting.start + 2 * STEP, decisions=True)
    again(waiting, end=waiting.start + 3 * STEP, decisions=True)
    assert waiting.action == replace(held, reason="recalibrated")
    fine = waiting.start + 4 * STEP
    waiting.story.play(waiting.applied, ".", start=fine, version="2", kind=IncidentKind.PERFORMANCE)
    again(waiting, end=fine)
    again(waiting, end=waiting.start + 5 * STEP)
    assert messages(engine) == pages
    (listed,) = command.document("actions", "list", "--waiting")["actions"]
    assert (listed["action"]["reason"], listed["newest_evidence"]) == ("recalibrated", "quality_is_fine")
    assert steps(listed) == [
        ("awaiting_approval", None, "shift_without_labels"),
        ("awaiting_approval", None, "recalibrated"),
        ("awaiting_approval", None, "quality_is_fine"),
    ]
    text = " ".join(command.run("actions", held.id).stdout.split())
    assert "as of a recalibrated version; no label says that it is worse; the newest windows: labelled quality" in text
    text = " ".join(command.run("actions", "list", "--waiting").stdout.split())
    assert "the newest windows: labelled quality of the same time is mature and fine" in text
    rejected = command.document("actions", held.id, "reject", "--why", "meant so", *WHO)
    assert (rejected["action"]["reason"], rejected["newest_evidence"]) == ("recalibrated", "quality_is_fine")
    again(waiting, end=waiting.start + 6 * STEP)
    shown = command.document("actions", held.id)
    assert steps(shown)[3:] == [("rejected", "ada", "meant so")]


def again(waiting: Waiting, *, end: int, decisions: bool = False) -> None:
    """The score shifts in the window that ends at *end* too, whose *decisions* are counted and alike."""
    if decisions:
        for version, quarters in (("1", [1500, 2000, 1000, 500]), ("2", [3500, 0, 0, 1500])):
            count_scores(waiting.engine, waiting.applied, version, quarters, end=end)
    for version, letter in (("1", "."), ("2", "c")):
        waiting.story.play(waiting.applied, letter, start=end, version=version, column="score", role="score")
    waiting.advance()


def messages(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(schema.outbox)).scalar_one())


def switch_off(waiting: Waiting) -> None:
    hold_actions(waiting.engine)


def replace_canary(waiting: Waiting) -> None:
    with waiting.engine.begin() as connection:
        connection.execute(
            sa.insert(schema.deployment).values(
                model_id=waiting.applied.model_id, version="2", event_time=waiting.start + STEP, stage="retired",
                topic="deployments", partition=0, offset=9,
            )
        )  # fmt: skip


def labels_are_fine(waiting: Waiting) -> None:
    waiting.story.play(waiting.applied, ".", start=waiting.start + 2 * STEP, version="2", kind=IncidentKind.PERFORMANCE)
    waiting.advance()


def shift_is_over(waiting: Waiting) -> None:
    waiting.story.play(waiting.applied, ".", start=waiting.start + 2 * STEP, version="2")
    waiting.advance()


def stable_is_bad_too(waiting: Waiting) -> None:
    start = waiting.start + 2 * STEP
    waiting.story.play(waiting.applied, "c", start=start, version="1", column="score", role="score")
    waiting.advance()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (switch_off, "actions_held"),
        (replace_canary, "superseded"),
        (labels_are_fine, "quality_is_fine"),
        (shift_is_over, "no_key"),
        (stable_is_bad_too, "common_cause"),
    ],
)
def test_approving_looks_again(engine: Engine, command: Command, change: Any, reason: str) -> None:
    """What changed while it waited stands against it: nothing is sent, the reason is said, it goes on waiting."""
    waiting = Waiting(engine)
    change(waiting)
    refused = command.run("actions", waiting.action.id, "approve", *WHO)
    assert refused.returncode == 2
    assert f"is not sent ({reason})" in refused.stderr
    assert waiting.requests == []
    assert waiting.action.state is ActionState.AWAITING_APPROVAL


def test_an_approval_expires_and_people_are_notified(engine: Engine, command: Command) -> None:
    """After `approve_within` nobody can approve it any more; a message says so."""
    with receiver(SECRET) as people:
        waiting = Waiting(engine, receivers=(webhook("people", people.url),), extra=", approve_within: 1h")
        late = delivery(engine, later_millis=HOUR_MILLIS + MINUTE_MILLIS)
        assert expire_overdue_effects(delivery(engine)) == 0
        assert expire_overdue_effects(late) == 1
        deliver_all(late)
        assert _types(people) == ["model.action.expired", "model.incident.opened"]
    assert waiting.action.state is ActionState.EXPIRED
    refused = command.run("actions", waiting.action.id, "approve", *WHO)
    assert "found one that is expired" in refused.stderr


def test_a_request_that_was_never_answered_stays_unknown(engine: Engine, command: Command) -> None:
    """Past its deadline it may have been done: it is not called expired, and a person says what came of it."""
    with receiver(SECRET) as people, receiver(SECRET, Answer(status=None)) as hook:
        waiting = Waiting(engine, url=hook.url, receivers=(webhook("people", people.url),))
        command.run("actions", waiting.action.id, "approve", *WHO)
        deliver_all(replace(delivery(engine), jitter=lambda: 0.99))
        assert waiting.action.state is ActionState.UNKNOWN
        late = delivery(engine, later_millis=HOUR_MILLIS)
        assert expire_overdue_effects(late) == 1
        deliver_all(late)
        assert "model.action.unanswered" in _types(people)
    assert waiting.action.state is ActionState.UNKNOWN
    shown = command.document("actions", waiting.action.id, "result", "failed", *WHO)
    assert steps(shown)[-1] == ("failed", "ada", "")


def _types(people: Receiver) -> list[str]:
    return sorted(str(request.content["type"]) for request in people.requests)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("99999999",), "expected the beginning of one id, found none"),
        (("{id}", "postpone"), "found postpone"),
        (("{id}", "result"), "found the result missing"),
        (("{id}", "result", "succeeded"), "expected one that was sent"),
        (("{id}", "approve", "now"), "found now after it"),
    ],
)
def test_what_cannot_be_is_said(engine: Engine, command: Command, words: tuple[str, ...], problem: str) -> None:
    """Wrong ids, verbs and results: exit code 2, and what was expected."""
    waiting = Waiting(engine)
    given = [word.format(id=waiting.action.id) for word in words]
    done = command.run("actions", *given)
    assert (done.returncode, problem in done.stderr) == (2, True), done.stderr
