"""The demo's judge: a story that came out is accepted, each way it may fail is named."""

from dataclasses import replace

import pytest

from driftline.demo.acts import CANARY, STABLE, time_line
from driftline.demo.expectations import RETRAINING, ROLLBACK, Counts, DemoOutcome, failed_expectations
from driftline.demo.receiver import Arrival
from monitor.store.actions import IncidentAction
from monitor.store.incidents import IncidentStep
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
        from_version=CANARY if kind == ROLLBACK else None,
        to_version=STABLE if kind == ROLLBACK else None,
    )


GOOD = DemoOutcome(
    counts=COUNTS,
    incidents=(
        incident("shift", 2, IncidentKind.DRIFT, STABLE, Tier.WARNING, Tier.ALERT),
        incident("field", 3, IncidentKind.DATA_QUALITY, STABLE, Tier.WARNING),
        incident("canary", 4, IncidentKind.DRIFT, CANARY, Tier.CRITICAL),
        incident("wrong", 4, IncidentKind.PERFORMANCE, CANARY, Tier.CRITICAL),
    ),
    deliveries=(
        delivery("1", "model.incident.opened", "shift", "income"),
        delivery("2", RETRAINING, "shift", "income"),
        delivery("3", "model.incident.opened", "field", "income"),
        delivery("4", "model.incident.opened", "canary", "prediction.score"),
        delivery("5", ROLLBACK, "canary", "prediction.score"),
    ),
)


def test_the_story_as_it_should_go_is_accepted() -> None:
    """Nothing failed."""
    assert failed_expectations(GOOD, LINE) == ()


def without(delivery_id: str) -> DemoOutcome:
    return replace(GOOD, deliveries=tuple(delivery for delivery in GOOD.deliveries if delivery.id != delivery_id))


def with_incident(extra: IncidentStory) -> DemoOutcome:
    return replace(GOOD, incidents=(*GOOD.incidents, extra))


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
        (without("5"), "act 4: expected one verified rollback from 3.3.0 to 3.2.0, found none"),
        (replace(GOOD, incidents=GOOD.incidents[:3]), "act 4: expected a performance incident of 3.3.0"),
        (
            with_incident(incident("both", 4, IncidentKind.DRIFT, STABLE, Tier.WARNING)),
            "act 4: expected incidents of 3.3.0 only",
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
