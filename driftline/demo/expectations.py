"""What must come out of the demo, and whether it did."""

from collections.abc import Iterator
from dataclasses import dataclass

from alerting.actions.reasons import Ground, Refusal
from driftline.demo.acts import BAD, RECALIBRATED, STABLE, Act, TimeLine
from driftline.demo.receiver import Arrival
from monitor.store.views.actions import ActionStory
from monitor.store.views.incidents import IncidentStory
from monitor.types import ActionKind, ActionState, IncidentKind, Tier

RETRAINING, ROLLBACK = "model.retrain.requested", "model.rollback.requested"
_ON_LABELS = (Ground.QUALITY_WORSE, Ground.WORSE_SIDE_BY_SIDE)
"""Two keys each: which one depends on whether the shift of the bad canary still shows when its labels are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events produced (predictions, truths, deployments), and what became of them.

    Attributes:
        labelled, correct: Predictions that met their truth, and those that came true, as Driftline counted them.
        expected_correct: Those that came true, as the story knows it.
    """

    produced: int
    counted: int
    duplicates: int
    late: int
    dead_letters: int
    labelled: int
    correct: int
    predictions: int
    expected_correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    """Everything that can be seen after the story has run."""

    counts: Counts
    incidents: tuple[IncidentStory, ...]
    actions: tuple[ActionStory, ...]
    deliveries: tuple[Arrival, ...]


def failed_expectations(outcome: DemoOutcome, line: TimeLine) -> tuple[str, ...]:
    """Return what did not come out as expected; empty when everything did."""
    first, second, third, fourth = line.acts
    return (
        *_counting(outcome.counts),
        *_signatures(outcome.deliveries),
        *_healthy(outcome, first),
        *_shift(outcome, second),
        *_break(outcome, third),
        *_canaries(outcome, fourth),
        *_held(outcome, RECALIBRATED, ground=Ground.RECALIBRATED, then=ActionState.REJECTED),
        *_fine(outcome, RECALIBRATED),
        *_superseded(outcome, BAD),
        *_rolled_back(outcome),
    )


def _counting(counts: Counts) -> Iterator[str]:
    if counts.counted != counts.produced:
        yield f"counting: expected {counts.produced:,} events counted, found {counts.counted:,}"
    for name in ("duplicates", "late", "dead_letters"):
        if count := getattr(counts, name):
            yield f"counting: expected no {name.replace('_', ' ')}, found {count:,}"
    if (counts.labelled, counts.correct) != (counts.predictions, counts.expected_correct):
        yield (
            f"truths: expected {counts.expected_correct:,} of {counts.predictions:,} predictions to come true, "
            f"found {counts.correct:,} of {counts.labelled:,}"
        )


def _signatures(deliveries: tuple[Arrival, ...]) -> Iterator[str]:
    if wrong := sum(not delivery.verified for delivery in deliveries):
        yield f"deliveries: expected every signature to be right, found {wrong} wrong"


def _healthy(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    for incident in _opened_in(outcome, act):
        head = incident.incident
        yield f"act 1: expected no incident, found {head.kind} of {head.version}: {head.sentence}"


def _shift(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    opened = _opened_in(outcome, act)
    drifts = [incident for incident in opened if incident.incident.kind is IncidentKind.DRIFT]
    if len(drifts) != 1 or len(opened) != 1:
        kinds = ", ".join(incident.incident.kind for incident in opened) or "none"
        yield f"act 2: expected one drift incident, found {kinds}"
    for drift in drifts:
        tiers = [step.tier for step in drift.steps]
        if Tier.WARNING not in tiers or Tier.ALERT not in tiers or tiers.index(Tier.WARNING) > tiers.index(Tier.ALERT):
            yield f"act 2: expected warning, then alert, found {', '.join(tier.word for tier in tiers)}"
        columns = columns_of(drift, outcome.deliveries)
        if "income" not in columns:
            yield f"act 2: expected income among the columns, found {', '.join(columns) or 'none'}"
        if not _requests(outcome.deliveries, RETRAINING, drift.incident.id):
            yield "act 2: expected a verified retraining request, found none"


def _break(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    opened = _opened_in(outcome, act)
    broken = [incident for incident in opened if incident.incident.kind is IncidentKind.DATA_QUALITY]
    if len(broken) != 1 or len(opened) != 1:
        kinds = ", ".join(incident.incident.kind for incident in opened) or "none"
        yield f"act 3: expected one data_quality incident, found {kinds}"
    for incident in broken:
        columns = columns_of(incident, outcome.deliveries)
        if columns != ("income",):
            yield f"act 3: expected income alone, found {', '.join(columns) or 'none'}"
    asked = [
        action
        for incident in outcome.incidents
        for action in incident.actions
        if act.start < action.window_end <= act.end and action.state is not ActionState.REFUSED
    ]
    if asked:
        yield f"act 3: expected no action, found {', '.join(action.kind for action in asked)}"


def _canaries(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    kinds: dict[str, dict[IncidentKind, tuple[str, ...]]] = {
        RECALIBRATED: {IncidentKind.DRIFT: ("prediction.score",)},
        BAD: {IncidentKind.DRIFT: ("prediction.label", "prediction.score"), IncidentKind.PERFORMANCE: ()},
    }
    opened = {(story.incident.version, story.incident.kind): story for story in _opened_in(outcome, act)}
    for version, kind in opened:
        if kind not in kinds.get(version, {}):
            yield f"act 4: expected no {kind} incident of {version}, found one"
    for version, expected in kinds.items():
        for kind, columns in expected.items():
            story = opened.get((version, kind))
            if story is None:
                yield f"act 4: expected a {kind} incident of {version}, found none"
                continue
            named = tuple(sorted(columns_of(story, outcome.deliveries)))
            if named != columns:
                yield (
                    f"act 4: expected {' and '.join(columns) or 'no column'} in the {kind} incident of {version}, "
                    f"found {', '.join(named) or 'none'}"
                )


def _held(outcome: DemoOutcome, version: str, *, ground: Ground, then: ActionState) -> Iterator[str]:
    """Check that a rollback of *version* was put to people on *ground*, and what came of it *then*."""
    held = [
        story
        for story in rollbacks_of(outcome.actions, version)
        if any(step.state is ActionState.AWAITING_APPROVAL for step in story.steps)
    ]
    seen = [f"{story.action.reason}, {story.action.state}" for story in held]
    if seen != [f"{ground}, {then}"]:
        yield (
            f"act 4: expected one rollback of {version} that awaited approval: {ground}, {then}; "
            f"found {'; '.join(seen) or 'none'}"
        )


def _fine(outcome: DemoOutcome, version: str) -> Iterator[str]:
    reasons = [
        story.action.reason
        for story in rollbacks_of(outcome.actions, version)
        if story.action.state is ActionState.REFUSED
    ]
    if Refusal.QUALITY_IS_FINE not in reasons:
        yield (
            f"act 4: expected a rollback of {version} refused with {Refusal.QUALITY_IS_FINE}, "
            f"found {', '.join(reasons) or 'none refused'}"
        )


def _superseded(outcome: DemoOutcome, version: str) -> Iterator[str]:
    """Check that a rollback of *version* was put to people before its labels were in, and made room for one on them."""
    ended = [
        story.action.state
        for story in rollbacks_of(outcome.actions, version)
        if story.action.reason == Ground.SHIFT_WITHOUT_LABELS
    ]
    if ended != [ActionState.SUPERSEDED]:
        yield (
            f"act 4: expected one rollback of {version} held without labels ({Ground.SHIFT_WITHOUT_LABELS}), then "
            f"{ActionState.SUPERSEDED}; found {', '.join(ended) or 'none'}"
        )


def _rolled_back(outcome: DemoOutcome) -> Iterator[str]:
    """Check that the bad canary was rolled back on two keys, nothing else was, and that the receiver saw just that."""
    accepted = [
        (story.action.from_version, story.action.to_version, story.action.reason)
        for story in outcome.actions
        if story.action.kind is ActionKind.ROLLBACK
        and any(step.state in (ActionState.DISPATCHING, ActionState.ACCEPTED) for step in story.steps)
    ]
    if not any(accepted == [(BAD, STABLE, ground)] for ground in _ON_LABELS):
        seen = ", ".join(f"{before} to {after} ({reason})" for before, after, reason in accepted) or "none"
        yield f"act 4: expected one rollback, from {BAD} to {STABLE} ({' or '.join(_ON_LABELS)}), found {seen}"
    received = {
        delivery.id: delivery for delivery in outcome.deliveries if delivery.type == ROLLBACK and delivery.verified
    }
    ways = [(rollback.from_version, rollback.to_version) for rollback in received.values()]
    if ways != [(BAD, STABLE)]:
        seen = ", ".join(f"{before} to {after}" for before, after in ways) or "none"
        yield f"act 4: expected one verified rollback from {BAD} to {STABLE}, found {seen}"


def rollbacks_of(actions: tuple[ActionStory, ...], version: str) -> list[ActionStory]:
    """Return the rollbacks of *version*, refused ones too."""
    return [
        story for story in actions if story.action.kind is ActionKind.ROLLBACK and story.action.from_version == version
    ]


def columns_of(story: IncidentStory, deliveries: tuple[Arrival, ...]) -> tuple[str, ...]:
    """Return the columns that the messages about this incident alone named."""
    named = [
        column for delivery in deliveries if delivery.incidents == (story.incident.id,) for column in delivery.columns
    ]
    return tuple(dict.fromkeys(named))


def _opened_in(outcome: DemoOutcome, act: Act) -> list[IncidentStory]:
    # a window that ends at the act's start belongs to the act before
    return [incident for incident in outcome.incidents if act.start < incident.incident.first_end <= act.end]


def _requests(deliveries: tuple[Arrival, ...], kind: str, incident_id: str) -> list[Arrival]:
    return [
        delivery
        for delivery in deliveries
        if delivery.type == kind and delivery.verified and incident_id in delivery.incidents
    ]
