"""Incidents and the guard's actions in the story's words: what is shown, and why it came so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alerting.actions.reasons import Refusal, ground_words, refusal_words
from monitor.store.views.actions import ActionStep, ActionStory
from monitor.types import ActionKind, ActionState

_SHOWN_REFUSALS = frozenset({Refusal.INPUT_DRIFT_ONLY, Refusal.DATA_QUALITY_INCIDENT, Refusal.QUALITY_IS_FINE})
"""What holds whatever the pace: others, such as a cooldown, say more about the demo's haste than about the model."""


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
    steps = [(step.at, number, story, step) for story in actions for number, step in enumerate(story.steps)]
    for _, number, story, step in sorted(steps, key=lambda line: (line[0], line[2].action.id, line[1])):
        waited = number > 0 and step.state is story.steps[number - 1].state
        head = None if waited else _head(story, step)
        if head is not None:
            yield GuardLine(story=story, step=number, who=step.who, head=head, why=_why(story, step))


def without_head(sentence: str) -> str:
    """Return an incident's *sentence* without its model, version, kind and tier, which stand in the line above it."""
    _, _, detail = sentence.partition("). ")
    return detail or sentence.partition(": ")[2] or sentence


def first_clause(sentence: str) -> str:
    """Return what was measured and proven of an incident's *sentence*, without the circumstances."""
    clause, more, _ = without_head(sentence).partition("; ")
    return f"{clause}." if more else clause


def _head(story: ActionStory, step: ActionStep) -> str | None:
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
    if step.state is ActionState.REFUSED and action.reason in _SHOWN_REFUSALS:
        return f"{what}: not requested"
    return None


def _why(story: ActionStory, step: ActionStep) -> str:
    if step.state is ActionState.REFUSED:
        return refusal_words(story.action.reason)
    return step.why if step.who else ground_words(story.action.reason)
