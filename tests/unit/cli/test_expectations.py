"""The demo's judge: a story that came out is accepted, each way it may fail is named."""

from dataclasses import replace

import pytest

from alerting.actions.reasons import Ground, Refusal
from driftline.demo.acts import BAD, RECALIBRATED, STABLE, time_line
from driftline.demo.expectations import RETRAINING, ROLLBACK, Counts, DemoOutcome, failed_expectations
from driftline.demo.receiver import Arrival
from monitor.store.actions import ActionRow, IncidentAction
from monitor.store.incidents import IncidentStep
from monitor.store.views.actions import ActionStep, ActionStory
from monitor.store.views.incidents import IncidentHead, IncidentStory
from monitor.types import ActionKind, ActionState, IncidentKind, IncidentStatus, ModelKey, Tier
from monitor.units import HOUR_MILLIS

LINE = time_line(0)
COUNTS = Counts(
    produced=10,
    counted=10,
    duplicates=0,
    late=0,
    dead_letters=0,
    labelled=4,
    correct=3,
    predictions=4,
    expected_correct=3,
)


def incident(name: str, act: int, kind: IncidentKind, version: str, *tiers: Tier) -> IncidentStory:
    first = LINE.acts[act - 1].start + HOUR_MILLIS
    head = IncidentHead(
        id=name,
        model=ModelKey("default", "credit-scoring"),
        version=version,
        kind=kind,
        status=IncidentStatus.OPEN,
        tier=max(tiers),
        first_end=first,
        last_end=first,
        resolved_end=None,
        sentence="",
        opened_at=0,
        changed_at=0,
    )
    steps = tuple(
        IncidentStep(
            window_end=first + number, step="escalated" if number else "opened", reason="", tier=tier, sentence=""
        )
        for number, tier in enumerate(tiers)
    )
    return IncidentStory(incident=head, steps=steps, actions=(), deliveries=())


def delivery(name: str, kind: str, incident_id: str, *columns: str, verified: bool = True) -> Arrival:
    return Arrival(
        id=name,
        type=kind,
        verified=verified,
        sentence="",
        window_end="",
        incidents=(incident_id,),
        columns=columns,
        from_version=BAD if kind == ROLLBACK else None,
        to_version=STABLE if kind == ROLLBACK else None,
    )


def rollback(version: str, reason: str, *states: ActionState) -> ActionStory:
    row = ActionRow(
        id=f"{version} {reason}",
        incident_id=version,
        kind=ActionKind.ROLLBACK,
        state=states[-1],
        reason=reason,
        from_version=version,
        to_version=None if states[-1] is ActionState.REFUSED else STABLE,
        window_end=LINE.acts[3].start + HOUR_MILLIS,
        model_id=1,
        attempt=1,
        request="{}",
        decided_at=0,
    )
    steps = tuple(ActionStep(state=state, who=None, why="", at=number) for number, state in enumerate(states))
    return ActionStory(model=ModelKey("default", "credit-scoring"), action=row, newest_evidence=reason, steps=steps)


HELD = rollback(RECALIBRATED, Ground.RECALIBRATED, ActionState.AWAITING_APPROVAL, ActionState.REJECTED)
FINE = rollback(RECALIBRATED, Refusal.QUALITY_IS_FINE, ActionState.REFUSED)
EARLY = rollback(BAD, Ground.SHIFT_WITHOUT_LABELS, ActionState.AWAITING_APPROVAL, ActionState.SUPERSEDED)
SENT = rollback(BAD, Ground.QUALITY_WORSE, ActionState.DISPATCHING, ActionState.ACCEPTED)

GOOD = DemoOutcome(
    counts=COUNTS,
    incidents=(
        incident("shift", 2, IncidentKind.DRIFT, STABLE, Tier.WARNING, Tier.ALERT),
        incident("field", 3, IncidentKind.DATA_QUALITY, STABLE, Tier.WARNING),
        incident("recalibrated", 4, IncidentKind.DRIFT, RECALIBRATED, Tier.CRITICAL),
        incident("bad", 4, IncidentKind.DRIFT, BAD, Tier.CRITICAL),
        incident("wrong", 4, IncidentKind.PERFORMANCE, BAD, Tier.CRITICAL),
    ),
    actions=(HELD, FINE, EARLY, SENT),
    deliveries=(
        delivery("1", "model.incident.opened", "shift", "income"),
        delivery("2", RETRAINING, "shift", "income"),
        delivery("3", "model.incident.opened", "field", "income"),
        delivery("4", "model.incident.opened", "recalibrated", "prediction.score"),
        delivery("5", "model.incident.opened", "bad", "prediction.score", "prediction.label"),
        delivery("6", ROLLBACK, "bad", "prediction.score"),
    ),
)


def test_the_story_as_it_should_go_is_accepted() -> None:
    """Nothing failed."""
    assert failed_expectations(GOOD, LINE) == ()


def test_labels_alone_may_be_the_ground() -> None:
    """Labels alone are both keys on a random split: the same rollback, asked for on another ground."""
    sent = rollback(BAD, Ground.WORSE_SIDE_BY_SIDE, ActionState.DISPATCHING, ActionState.ACCEPTED)
    assert failed_expectations(replace(GOOD, actions=(HELD, FINE, EARLY, sent)), LINE) == ()


def without(delivery_id: str) -> DemoOutcome:
    return replace(GOOD, deliveries=tuple(delivery for delivery in GOOD.deliveries if delivery.id != delivery_id))


def with_incident(extra: IncidentStory) -> DemoOutcome:
    return replace(GOOD, incidents=(*GOOD.incidents, extra))


def with_action(extra: ActionStory) -> DemoOutcome:
    return replace(GOOD, actions=(*GOOD.actions, extra))


def acting_in_act_3() -> DemoOutcome:
    end = LINE.acts[2].start + 2 * HOUR_MILLIS
    action = IncidentAction(
        id="a",
        incident_id="field",
        kind=ActionKind.RETRAINING,
        state=ActionState.ACCEPTED,
        reason="",
        from_version=STABLE,
        to_version=None,
        window_end=end,
    )
    changed = tuple(
        replace(incident, actions=(action,)) if incident.incident.id == "field" else incident
        for incident in GOOD.incidents
    )
    return replace(GOOD, incidents=changed)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (replace(GOOD, counts=replace(COUNTS, counted=9)), "expected 10 events counted, found 9"),
        (replace(GOOD, counts=replace(COUNTS, late=1)), "expected no late, found 1"),
        (replace(GOOD, counts=replace(COUNTS, correct=2)), "expected 3 of 4 predictions to come true, found 2 of 4"),
        (
            replace(GOOD, deliveries=(*GOOD.deliveries, delivery("9", RETRAINING, "shift", verified=False))),
            "found 1 wrong",
        ),
        (with_incident(incident("false", 1, IncidentKind.DRIFT, STABLE, Tier.WARNING)), "act 1: expected no incident"),
        (without("2"), "act 2: expected a verified retraining request"),
        (without("1"), ""),
        (replace(GOOD, incidents=GOOD.incidents[1:]), "act 2: expected one drift incident, found none"),
        (replace(GOOD, incidents=(GOOD.incidents[0], *GOOD.incidents[2:])), "act 3: expected one data_quality"),
        (acting_in_act_3(), "act 3: expected no action, found retraining"),
        (without("6"), "act 4: expected one verified rollback from 3.4.0 to 3.2.0, found none"),
        (without("4"), "act 4: expected prediction.score in the drift incident of 3.3.0, found none"),
        (replace(GOOD, incidents=GOOD.incidents[:4]), "act 4: expected a performance incident of 3.4.0, found none"),
        (
            with_incident(incident("both", 4, IncidentKind.DRIFT, STABLE, Tier.WARNING)),
            "act 4: expected no drift incident of 3.2.0, found one",
        ),
        (
            with_incident(incident("worse", 4, IncidentKind.PERFORMANCE, RECALIBRATED, Tier.WARNING)),
            "act 4: expected no performance incident of 3.3.0, found one",
        ),
        (
            replace(GOOD, actions=(FINE, EARLY, SENT)),
            "one rollback of 3.3.0 that awaited approval: recalibrated, rejected; found none",
        ),
        (
            replace(GOOD, actions=(replace(HELD, steps=HELD.steps[1:]), FINE, EARLY, SENT)),
            "one rollback of 3.3.0 that awaited approval: recalibrated, rejected; found none",
        ),
        (
            with_action(rollback(RECALIBRATED, Ground.QUALITY_WORSE, ActionState.DISPATCHING, ActionState.ACCEPTED)),
            "act 4: expected one rollback, from 3.4.0 to 3.2.0 (quality_worse or worse_side_by_side), "
            "found 3.4.0 to 3.2.0 (quality_worse), 3.3.0 to 3.2.0 (quality_worse)",
        ),
        (
            replace(GOOD, actions=(HELD, FINE, EARLY)),
            "act 4: expected one rollback, from 3.4.0 to 3.2.0 (quality_worse or worse_side_by_side), found none",
        ),
        (
            replace(GOOD, actions=(HELD, EARLY, SENT)),
            "act 4: expected a rollback of 3.3.0 refused with quality_is_fine, found none refused",
        ),
        (
            replace(GOOD, actions=(HELD, FINE, SENT)),
            "act 4: expected one rollback of 3.4.0 held without labels (shift_without_labels), then superseded; "
            "found none",
        ),
    ],
)
def test_each_failure_is_named(outcome: DemoOutcome, said: str) -> None:
    """The sentence says the act, what was expected and what was found."""
    failed = failed_expectations(outcome, LINE)
    if not said:
        assert failed == ()  # the request itself names the column
    else:
        assert any(said in name for name in failed), failed
