"""Incidents and the guard's actions in the story's words: what is shown, and why it came so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alerting.actions.reasons import Refusal, ground_words, refusal_words
from driftline.demo.receiver import Arrival
from monitor.store.views.actions import ActionStep, ActionStory
from monitor.types import ActionKind, ActionState

_SHOWN_REFUSALS = frozenset({Refusal.INPUT_DRIFT_ONLY, Refusal.DATA_QUALITY_INCIDENT, Refusal.QUALITY_IS_FINE})
"""What holds whatever the pace: others, such as a cooldown, say more about the demo's haste than about the model."""

_MOVES = re.compile(r"naturally moves (×[\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLine:
    """One thing that was done about an action, by *who* (None: the guard), and why; *step* numbers its state."""

    story: ActionStory
    step: int
    who: str | None
    head: str
    why: str


def guard_lines(actions: Sequence[ActionStory]) -> Iterator[GuardLine]:
    """Yield what is shown of *actions*, as it came about."""
    steps = [
        # What is superseded makes room, at the same time, for what comes after it.
        ((step.at, step.state is not ActionState.SUPERSEDED, story.action.id, number), story, step)
        for story in actions
        for number, step in enumerate(story.steps)
    ]
    held: dict[tuple[ActionKind, str], str] = {}
    for (_, _, _, number), story, step in sorted(steps, key=lambda line: line[0]):
        action = story.action
        asked = (action.kind, action.from_version)
        waited = number > 0 and step.state is story.steps[number - 1].state
        head = None if waited else _head(story, step, held=held.get(asked))
        if step.state is ActionState.AWAITING_APPROVAL:
            held[asked] = action.id
        elif held.get(asked) == action.id:
            del held[asked]
        if head is not None:
            yield GuardLine(story=story, step=number, who=step.who, head=head, why=_why(story, step))


def delivery_words(delivery: Arrival, *, proof: str = "") -> str:
    """Return what arrived, between which versions, what it asks people to decide, and the *proof* of its sender."""
    way = f" {delivery.from_version} -> {delivery.to_version}" if delivery.to_version else ""
    asks = f"asks people to decide on {' and '.join(delivery.to_approve)}" if delivery.to_approve else ""
    more = "; ".join(part for part in (asks, proof) if part)
    return f"{delivery.type}{way}{f' ({more})' if more else ''}"


def movement_remark(sentence: str) -> str | None:
    """Return what "naturally moves" in an incident's *sentence* means, None where it is not said."""
    factor = _MOVES.search(sentence)
    if factor is None:
        return None
    return (
        f"(naturally moves {factor[1]}: in the reference this column varies from one stretch of time to the next, with "
        f"{factor[1][1:]} times the variance of chance alone; what is proven allows for that)"
    )


def without_head(sentence: str) -> str:
    """Return an incident's *sentence* without its model, version, kind and tier, which stand in the line above it."""
    _, _, detail = sentence.partition("). ")
    return detail or sentence.partition(": ")[2] or sentence


def first_clause(sentence: str) -> str:
    """Return what was measured and proven of an incident's *sentence*, without the circumstances."""
    clause, more, _ = without_head(sentence).partition("; ")
    return f"{clause}." if more else clause


def _head(story: ActionStory, step: ActionStep, *, held: str | None) -> str | None:
    """Return what *step* did, None where that is not shown; *held*: the id of one like it that waits for a person."""
    action = story.action
    rollback = action.kind is ActionKind.ROLLBACK
    what = f"rollback of {action.from_version}" if rollback else f"retraining of {action.from_version}"
    to = f" to {action.to_version}" if action.to_version else ""
    if step.state is ActionState.AWAITING_APPROVAL:
        return f"{what}{to}: held, a person decides"
    if step.state is ActionState.REJECTED:
        return f"{what}{to}: rejected by {step.who}"
    if step.state is ActionState.DISPATCHING:
        return f"{what}{to}: requested"
    if step.state is ActionState.SUPERSEDED:
        return f"{what}{to}: no longer held"
    if step.state is ActionState.REFUSED and action.reason in _SHOWN_REFUSALS:
        # It waits on, for what people are to decide is theirs; "not requested" would contradict that.
        return f"{what}: not requested" if held is None else f"{what}: still held, and would not be requested now"
    return None


def _why(story: ActionStory, step: ActionStep) -> str:
    if step.state is ActionState.REFUSED:
        return refusal_words(story.action.reason)
    if step.state is ActionState.SUPERSEDED:
        return "one on better evidence takes its place"
    return step.why if step.who else ground_words(story.action.reason)
