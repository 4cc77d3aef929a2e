"""`driftline actions`: what was asked of other systems or refused, and what people decide about it."""

from collections.abc import Callable
from enum import StrEnum
from getpass import getuser
from typing import Annotated

import sqlalchemy as sa
import typer

from alerting.actions.explanation import explanation
from alerting.actions.reasons import evidence_words
from alerting.answer_action import RESULTS, ActionAnswerRefused, Answer, approve_action, record_result, reject_action
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import Limit, opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.humanize import moment
from monitor.settings import Settings, load_settings
from monitor.store.actions import ActionRow
from monitor.store.views.actions import ActionStep, ActionStory, action_stories, list_actions
from monitor.types import ActionState

LIST = "list"


class Verb(StrEnum):
    """What a person may do about one action."""

    APPROVE = "approve"
    REJECT = "reject"
    RESULT = "result"


def actions(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[list | ID [approve | reject | result succeeded | result failed]]",
            help="Nothing or list: the newest; an id, or how it begins: that one with all its states, or what to do.",
        ),
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, stored with the answer; reject needs one.")] = "",
    who: Annotated[str | None, typer.Option("--as", help="Who answers; default the user of this computer.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for approval.")] = False,
    refused: Annotated[bool, typer.Option("--refused/--no-refused", help="Refused ones too.")] = True,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List actions, show one, approve or reject one that waits, or say what came of one that was sent.

    Approving looks again at what can have changed: the switches, whether the version still serves, its newest windows
    and its target's. What stands against it is said, and the action goes on waiting until it expires.

    Exit code 2: no such action, or it cannot be answered like that; the message says why.
    """
    settings = load_settings()
    given = [word for word in words or [] if word != LIST]
    if not given:
        with opened_database(settings) as engine, engine.connect() as connection:
            stories = list_actions(connection, waiting=waiting, refused=refused, limit=limit)
        _show_list(stories, as_json=as_json)
        return
    identifier, verb, outcome = _parsed(given)
    with opened_database(settings) as engine, engine.begin() as connection:
        story = _one(connection, identifier)
        if verb is not None:
            answer = _answer(verb, outcome, Answer(who=who or getuser(), why=why), settings)
            try:
                answer(connection, story.action.id)
            except ActionAnswerRefused as error:
                raise WrongUseError(str(error)) from error
            story = _one(connection, story.action.id)
    _show(story, as_json=as_json)
    if verb is Verb.APPROVE and not as_json:
        print_line(f"The alerter sends it now: `driftline actions {story.action.id[:8]}` shows what comes of it.")


def _parsed(words: list[str]) -> tuple[str, Verb | None, ActionState | None]:
    """Return id, verb and result; the verb may come first, as other commands have it."""
    if words[0] in set(Verb) and len(words) > 1:
        words = [words[1], words[0], *words[2:]]
    identifier, *rest = words
    usage = f"actions {' '.join(words)}: expected an id, then nothing, approve, reject, or result succeeded (or failed)"
    if not rest:
        return identifier, None, None
    if rest[0] not in set(Verb):
        raise WrongUseError(f"{usage}; found {rest[0]}")
    verb, results = Verb(rest[0]), rest[1:]
    if verb is not Verb.RESULT:
        if results:
            raise WrongUseError(f"{usage}; found {' '.join(results)} after it")
        return identifier, verb, None
    if len(results) != 1 or results[0] not in RESULTS:
        raise WrongUseError(f"{usage}; found the result {' '.join(results) or 'missing'}")
    return identifier, verb, ActionState(results[0])


def _answer(
    verb: Verb, outcome: ActionState | None, answer: Answer, settings: Settings
) -> Callable[[sa.Connection, str], ActionRow]:
    if verb is Verb.APPROVE:
        return lambda connection, action_id: approve_action(connection, action_id, answer, settings=settings)
    if outcome is not None:
        return lambda connection, action_id: record_result(connection, action_id, outcome, answer)
    return lambda connection, action_id: reject_action(connection, action_id, answer)


def _one(connection: sa.Connection, identifier: str) -> ActionStory:
    stories = action_stories(connection, id_prefix=identifier)
    if len(stories) != 1:
        many = ", ".join(story.action.id for story in stories) or "none"
        raise WrongUseError(f"action {identifier}: expected the beginning of one id, found {many}")
    return stories[0]


def _show_list(stories: tuple[ActionStory, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"actions": stories})
        return
    print_table(
        "Actions",
        ("id", "model", "action", "from", "to", "state", "reason", "decided (UTC)", "expires (UTC)"),
        [
            (
                story.action.id[:8],
                story.model,
                story.action.kind,
                story.action.from_version,
                story.action.to_version,
                story.action.state,
                story.action.reason
                if story.action.state is not ActionState.AWAITING_APPROVAL
                else story.newest_evidence,
                moment(story.action.decided_at),
                moment(story.action.expires_at) if story.action.state is ActionState.AWAITING_APPROVAL else None,
            )
            for story in stories
        ],
        notes=[_explained(story) for story in stories],
        empty="none",
    )


def _show(story: ActionStory, *, as_json: bool) -> None:
    if as_json:
        print_json(story)
        return
    action = story.action
    to = f" to {action.to_version}" if action.to_version else ""
    print_line(f"{action.kind} of {story.model} from {action.from_version}{to}: {action.state} ({action.id})")
    print_line(f"Why: {_explained(story)}.")
    print_line(f"Of incident {action.incident_id}: `driftline incidents {action.incident_id[:8]}`.")
    print_table(
        "States",
        ("since (UTC)", "state", "who", "why"),
        [(moment(step.at), step.state, step.who or "driftline", _why(step)) for step in story.steps],
        empty="none",
    )


def _explained(story: ActionStory) -> str:
    refused_by = story.steps[-1].why if story.action.state is ActionState.REFUSED and story.steps else ""
    return explanation(story.action, model=story.model, newest=story.newest_evidence, refused_by=refused_by)


def _why(step: ActionStep) -> str:
    """Return why: in a person's words, or what the windows showed while the action waited."""
    waits = step.state is ActionState.AWAITING_APPROVAL and step.why
    return f"{step.why}: {evidence_words(step.why)}" if waits else step.why
