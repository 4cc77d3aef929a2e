"""Each rail of a rollback blocks it and says why; without the rail's cause the same rollback is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from alerting.actions.evidence import (
    Comparison,
    Decisions,
    GuardAnswer,
    Proposal,
    RollbackEvidence,
    Sighting,
    Situation,
    TargetEvidence,
)
from alerting.actions.guard import guard_answers
from alerting.actions.reasons import Ground, Refusal
from alerting.actions.rollback import RollbackGrant, rollback_decision
from monitor.spec.actions import ActionMode, ActionsSpec, RetrainingSpec, RollbackSpec
from monitor.types import ActionKind, ActionState, IncidentKind, Stage, Tier
from monitor.units import DAY_MILLIS as DAY
from monitor.units import HOUR_MILLIS as HOUR
from monitor.units import MINUTE_MILLIS
from tests.models.guarded import Event
from tests.models.holding import held_by_ada
from tests.unit.alerting.timeline import T0


@dataclass(frozen=True)
class Earlier:
    kind: ActionKind = ActionKind.ROLLBACK
    state: ActionState = ActionState.ACCEPTED
    reason: str = Ground.QUALITY_WORSE
    from_version: str = "2"
    window_end: int = T0
    decided_at: int = T0
    incident_id: str = "an earlier one"


# v1 in production for ten days, v2 a canary for two hours:   1 ────────────────────────►
#                                                                              2 ── T0
CANARY = (Event("1", T0 - 10 * DAY, Stage.PRODUCTION), Event("2", T0 - 2 * HOUR, Stage.CANARY))
# v2 took production over two hours ago:                      1 ──────────────┤
#                                                                              2 ── T0
PROMOTED = (Event("1", T0 - 10 * DAY, Stage.PRODUCTION), Event("2", T0 - 2 * HOUR, Stage.PRODUCTION))

SITUATION = Situation(now_millis=T0 + 60_000, actions_enabled=True, data_quality_open=False, history=CANARY)
PROPOSAL = Proposal(
    incident_id="this one",
    kind=IncidentKind.DRIFT,
    tier=Tier.CRITICAL,
    version="2",
    opened_end=T0 - HOUR,
    window_end=T0,
    fresh=True,
)
NOW = Sighting(end=T0, allowed_age=10 * MINUTE_MILLIS)
OLD = Sighting(end=T0 - 11 * MINUTE_MILLIS, allowed_age=10 * MINUTE_MILLIS)
STABLE = TargetEvidence(
    version="1",
    serves=True,
    served_until=SITUATION.now_millis,
    seen=NOW,
    shows_it=False,
    quality=Comparison.BETTER,
)
EVIDENCE = RollbackEvidence(seen=NOW, shift=NOW, worse=NOW, decisions=Decisions.CHANGED, targets=(STABLE,))
ENDPOINT = {"url": "https://example.org/hook", "secret_env": "SECRET"}
RETRAINING = RetrainingSpec(mode=ActionMode.AUTO, **ENDPOINT)
ROLLBACK = RollbackSpec(mode=ActionMode.AUTO, random_split=True, **ENDPOINT)
ONE_KEY = RollbackSpec(mode=ActionMode.AUTO, keys=1, **ENDPOINT)
PROVEN = RollbackGrant(to_version="1", ground=Ground.QUALITY_WORSE, needs_approval=False)


@dataclass(frozen=True)
class Case:
    """One rollback that is proposed; everything but what a test changes speaks for it."""

    situation: Situation = SITUATION
    proposal: Proposal = PROPOSAL
    evidence: RollbackEvidence = EVIDENCE
    rules: RollbackSpec = ROLLBACK

    def decide(self) -> Refusal | RollbackGrant:
        return rollback_decision(self.situation, self.proposal, self.evidence, rules=self.rules)


Change = Callable[[Case], Case]


def situation(**values: object) -> Change:
    return lambda case: replace(case, situation=replace(case.situation, **values))  # type: ignore[arg-type]


def proposal(**values: object) -> Change:
    return lambda case: replace(case, proposal=replace(case.proposal, **values))  # type: ignore[arg-type]


def evidence(**values: object) -> Change:
    return lambda case: replace(case, evidence=replace(case.evidence, **values))  # type: ignore[arg-type]


def target(**values: object) -> Change:
    return evidence(targets=(replace(STABLE, **values),))  # type: ignore[arg-type]


def rules(**values: object) -> Change:
    return lambda case: replace(case, rules=case.rules.model_copy(update=values))


def earlier(**values: object) -> Change:
    return situation(earlier=(replace(Earlier(), **values),))  # type: ignore[arg-type]


def side_by_side(
    *, shift: Sighting | None = None, serves: bool = True, seen_side_by_side: Sighting | None = NOW
) -> Change:
    """Labels of both versions at the same time prove the judged one worse; no *shift* shows what came with it."""
    shown = replace(STABLE, serves=serves, side_by_side=seen_side_by_side)
    return evidence(shift=shift, targets=(shown,))


def side_by_side_but(**values: object) -> Change:
    """The same, and something of the target stands against it."""
    return evidence(shift=None, targets=(replace(STABLE, side_by_side=NOW, **values),))  # type: ignore[arg-type]


def in_turn(*changes: Change) -> Change:
    """Return the change that makes all of *changes*."""

    def change(case: Case) -> Case:
        for next_change in changes:
            case = next_change(case)
        return case

    return change


def test_nothing_in_the_way_it_is_rolled_back() -> None:
    """The case that every row below is one step away from, for a canary and for a version in production."""
    assert Case().decide() == PROVEN
    assert situation(history=PROMOTED)(Case()).decide() == PROVEN


REFUSED: list[tuple[str, Change, Refusal]] = [
    ("off", rules(mode=ActionMode.OFF), Refusal.MODE_OFF),
    ("global switch", situation(actions_enabled=False), Refusal.ACTIONS_DISABLED),
    ("a person holds every action", situation(holds=held_by_ada(None)), Refusal.ACTIONS_HELD),
    ("a person holds rollbacks", situation(holds=held_by_ada(ActionKind.ROLLBACK)), Refusal.ACTIONS_HELD),
    ("a data-quality incident", proposal(kind=IncidentKind.DATA_QUALITY), Refusal.DATA_QUALITY_INCIDENT),
    ("a field is broken", situation(data_quality_open=True), Refusal.DATA_QUALITY_OPEN),
    ("blind", proposal(kind=IncidentKind.BLIND), Refusal.KIND_NEVER_ACTS),
    ("an alert", proposal(tier=Tier.ALERT), Refusal.TIER_BELOW_CRITICAL),
    (
        "only inputs, of incidents",
        lambda case: situation(history=())(proposal(inputs_alone=True)(case)),
        Refusal.INPUT_DRIFT_ONLY,
    ),
    ("no history", situation(history=()), Refusal.NO_VERSION_CHANGE),
    ("serving for long", situation(history=(Event("2", T0 - 10 * DAY, Stage.PRODUCTION),)), Refusal.NO_VERSION_CHANGE),
    ("the first version", situation(history=(Event("2", T0 - HOUR, Stage.PRODUCTION),)), Refusal.NO_VERSION_CHANGE),
    ("past the look-back", rules(look_back=timedelta(hours=1)), Refusal.NO_VERSION_CHANGE),
    ("replaced", situation(history=(*PROMOTED, Event("3", T0 - HOUR, Stage.PRODUCTION))), Refusal.SUPERSEDED),
    ("canary ended", situation(history=(*CANARY, Event("2", T0 - HOUR, Stage.RETIRED))), Refusal.SUPERSEDED),
    ("rolled back before", earlier(decided_at=T0 - 3 * DAY), Refusal.PROMOTION_ALREADY_ROLLED_BACK),
    ("perhaps rolled back", earlier(state=ActionState.UNKNOWN), Refusal.PROMOTION_ALREADY_ROLLED_BACK),
    ("rejected before", earlier(state=ActionState.REJECTED), Refusal.ALREADY_ANSWERED),
    ("many models bad at once", situation(common_cause=True), Refusal.COMMON_CAUSE),
    # Each key by its own window: neither is older than its own freshness, whatever an incident still holds.
    ("inputs alone", evidence(shift=None, worse=None, inputs=NOW), Refusal.INPUT_DRIFT_ONLY),
    ("unimportant inputs", evidence(shift=None, worse=None, inputs_critical=True), Refusal.INPUT_DRIFT_ONLY),
    ("nothing shown now", evidence(shift=None, worse=None), Refusal.NO_KEY),
    ("both keys old", evidence(shift=OLD, worse=OLD), Refusal.STALE),
    ("no window of now", evidence(seen=OLD), Refusal.VERSION_SILENT),
    ("never a window", evidence(seen=None), Refusal.VERSION_SILENT),
    ("quality is fine", evidence(worse=None, fine=NOW), Refusal.QUALITY_IS_FINE),
    ("old proof, fine since", evidence(worse=OLD, fine=NOW), Refusal.QUALITY_IS_FINE),
    ("no target", evidence(targets=()), Refusal.NO_KNOWN_TARGET),
    ("target rolled back before", target(blocked=True), Refusal.TARGET_BLOCKED),
    ("target drifts too", target(shows_it=True), Refusal.COMMON_CAUSE),
    ("target is bad too", target(flagged=True), Refusal.COMMON_CAUSE),
    ("target was bad", target(flagged=True, serves=False), Refusal.TARGET_FLAGGED),
    ("target served two years ago", target(serves=False, served_until=T0 - 730 * DAY), Refusal.TARGET_TOO_OLD),
    ("target reads other columns", target(same_schema=False), Refusal.TARGET_SCHEMA),
    ("target blind", target(seen=None), Refusal.TARGET_BLIND),
    ("target silent", target(seen=OLD), Refusal.TARGET_BLIND),
    ("target no better", target(quality=Comparison.NOT_BETTER), Refusal.TARGET_NOT_BETTER),
    (
        "the world moved since the target served",
        evidence(inputs_moved=True, targets=(replace(STABLE, serves=False, served_until=T0 - 2 * HOUR, seen=OLD),)),
        Refusal.INPUTS_MOVED,
    ),
    ("side by side, compared equal", side_by_side_but(quality=Comparison.NOT_BETTER), Refusal.TARGET_NOT_BETTER),
    (
        "side by side, no labels of the target",
        side_by_side_but(quality=Comparison.NO_LABELS),
        Refusal.TARGET_NOT_BETTER,
    ),
    ("side by side, the target blind", side_by_side_but(seen=None), Refusal.TARGET_BLIND),
    ("side by side, the target bad too", side_by_side_but(flagged=True), Refusal.COMMON_CAUSE),
    ("side by side, accuracy not critical now", in_turn(side_by_side(), evidence(worse=None)), Refusal.NO_KEY),
    ("side by side, an old window of accuracy", in_turn(side_by_side(), evidence(worse=OLD)), Refusal.STALE),
    (
        "labels that may be of other requests were answered",
        in_turn(rules(random_split=False), earlier(state=ActionState.EXPIRED, reason=Ground.REQUESTS_MAY_DIFFER)),
        Refusal.ALREADY_ANSWERED,
    ),
    ("cooldown", earlier(from_version="0", state=ActionState.FAILED), Refusal.COOLDOWN),
    ("cooldown, almost over", earlier(from_version="0", decided_at=T0 - DAY + 120_000), Refusal.COOLDOWN),
    ("proof waits already, in mode approve", earlier(state=ActionState.AWAITING_APPROVAL), Refusal.AWAITING_APPROVAL),
    ("under way", earlier(from_version="0", state=ActionState.DISPATCHING), Refusal.ALREADY_RUNNING),
    (
        "the last one unanswered",
        earlier(from_version="0", state=ActionState.UNKNOWN, decided_at=T0 - 2 * DAY),
        Refusal.RESULT_UNKNOWN,
    ),
    (
        "the last one accepted, and its version serves on",
        earlier(from_version="1", state=ActionState.ACCEPTED, decided_at=T0 - 2 * DAY),
        Refusal.RESULT_UNKNOWN,
    ),
    ("all models' budget", situation(hour_spent=True), Refusal.HOURLY_BUDGET_SPENT),
]


@pytest.mark.parametrize(("change", "refusal"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_every_rail_blocks_and_says_why(change: Change, refusal: Refusal) -> None:
    """The table of rails, in their order."""
    assert change(Case()).decide() is refusal


def test_the_days_budget_is_one() -> None:
    """With a cooldown of an hour a second rollback within the day is still refused."""
    short = rules(cooldown=timedelta(hours=1))(Case())
    spent = earlier(from_version="0", decided_at=T0 - 3 * HOUR, state=ActionState.SUCCEEDED)(short)
    assert spent.decide() is Refusal.BUDGET_SPENT
    assert rules(max_per_day=2)(spent).decide() == PROVEN


GRANTED: list[tuple[str, Change, Ground, bool]] = [
    ("labels prove it", evidence(), Ground.QUALITY_WORSE, False),
    ("important inputs of the canary alone", evidence(shift=None, inputs=NOW), Ground.QUALITY_WORSE, False),
    # A recalibrated canary: the very same labels, the score pushed away from 0.5. It was rolled back with keys: 2.
    ("recalibrated", evidence(worse=None, decisions=Decisions.SAME), Ground.RECALIBRATED, True),
    ("decisions changed, no labels yet", evidence(worse=None), Ground.SHIFT_WITHOUT_LABELS, True),
    ("proof of quality too old", evidence(worse=OLD), Ground.SHIFT_WITHOUT_LABELS, True),
    ("quality without a shift", evidence(shift=None), Ground.QUALITY_WITHOUT_SHIFT, True),
    ("shift too old", evidence(shift=OLD), Ground.QUALITY_WITHOUT_SHIFT, True),
    # In a warm-up no shift counts; labels of two versions on requests split at random are both keys.
    ("labels side by side", side_by_side(), Ground.WORSE_SIDE_BY_SIDE, False),
    ("labels side by side and a shift", side_by_side(shift=NOW), Ground.QUALITY_WORSE, False),
    ("side by side, the target serves no more", side_by_side(serves=False), Ground.QUALITY_WITHOUT_SHIFT, True),
    ("side by side, too old", side_by_side(seen_side_by_side=OLD), Ground.QUALITY_WITHOUT_SHIFT, True),
    ("side by side, not proven or inputs drift", side_by_side(seen_side_by_side=None), Ground.QUALITY_WITHOUT_SHIFT,
     True),
    ("side by side, the split not known", in_turn(side_by_side(), rules(random_split=False)),
     Ground.REQUESTS_MAY_DIFFER, True),
    ("two keys, the split not known", rules(random_split=False), Ground.REQUESTS_MAY_DIFFER, True),
    ("after a full switch no split is needed", in_turn(situation(history=PROMOTED), target(serves=False),
     rules(random_split=False)), Ground.QUALITY_WORSE, False),
    ("labels ask again after less was rejected", in_turn(rules(random_split=False),
     earlier(state=ActionState.REJECTED, reason=Ground.RECALIBRATED)), Ground.REQUESTS_MAY_DIFFER, True),
    ("labels replace less that waits", in_turn(rules(random_split=False),
     earlier(state=ActionState.AWAITING_APPROVAL, reason=Ground.RECALIBRATED)), Ground.REQUESTS_MAY_DIFFER, True),
    ("the target has no labels", target(quality=Comparison.NO_LABELS), Ground.QUALITY_NOT_COMPARED, True),
    ("older schema, allowed", lambda case: rules(allow_schema_change=True)(target(same_schema=False)(case)),
     Ground.QUALITY_WORSE, False),
    ("fine and worse: the proof is newer", evidence(fine=NOW), Ground.QUALITY_WORSE, False),
    ("a rehearsal holds back rehearsals only", earlier(state=ActionState.DRY_RUN), Ground.QUALITY_WORSE, False),
    ("the last one was never delivered", earlier(state=ActionState.EXPIRED, decided_at=T0 - DAY),
     Ground.QUALITY_WORSE, False),
    ("rejected on weaker grounds", earlier(state=ActionState.REJECTED, reason=Ground.RECALIBRATED),
     Ground.QUALITY_WORSE, False),
    ("one on weaker grounds waits", earlier(state=ActionState.AWAITING_APPROVAL, reason=Ground.RECALIBRATED),
     Ground.QUALITY_WORSE, False),
]  # fmt: skip


@pytest.mark.parametrize(("change", "ground", "needs_approval"), [pytest.param(*row[1:], id=row[0]) for row in GRANTED])
def test_what_the_evidence_is_enough_for(change: Change, ground: Ground, needs_approval: bool) -> None:
    """Only labelled quality that is proven worse, with something that came with the version, needs no person."""
    expected = RollbackGrant(to_version="1", ground=ground, needs_approval=needs_approval)
    assert change(Case()).decide() == expected


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(evidence(worse=None), id="prediction"),
        pytest.param(evidence(shift=None), id="performance"),
        pytest.param(evidence(shift=None, worse=None, inputs=NOW), id="important inputs"),
    ],
)
def test_one_key_is_critical_alone(change: Change) -> None:
    """For those who chose `keys: 1`; every other rail still stands."""
    case = replace(change(Case()), rules=ONE_KEY)
    assert case.decide() == RollbackGrant(to_version="1", ground=Ground.CRITICAL_ALONE, needs_approval=False)
    assert target(shows_it=True)(case).decide() is Refusal.COMMON_CAUSE
    assert evidence(worse=None, fine=NOW, shift=NOW)(case).decide() is Refusal.QUALITY_IS_FINE


@pytest.mark.parametrize("state", [ActionState.REJECTED, ActionState.EXPIRED])
def test_people_are_asked_once_on_the_same_grounds(state: ActionState) -> None:
    """What was rejected, or nobody approved in time, is not put to them again for this promotion."""
    label_free = evidence(worse=None)(Case())
    answered = earlier(state=state, reason=Ground.SHIFT_WITHOUT_LABELS, decided_at=T0 - 3 * DAY)(label_free)
    assert answered.decide() is Refusal.ALREADY_ANSWERED
    waiting = earlier(state=ActionState.AWAITING_APPROVAL, reason=Ground.SHIFT_WITHOUT_LABELS)(label_free)
    assert waiting.decide() is Refusal.AWAITING_APPROVAL


def test_a_dry_run_goes_the_way_of_the_real_thing() -> None:
    """A rehearsal of what would wait is followed by one of what would be sent, and that by none."""
    dry = rules(mode=ActionMode.DRY_RUN)(Case())
    waited = earlier(state=ActionState.DRY_RUN, reason=Ground.RECALIBRATED)
    assert waited(dry).decide() == PROVEN
    assert waited(evidence(worse=None)(dry)).decide() is Refusal.ALREADY_ANSWERED
    sent = earlier(state=ActionState.DRY_RUN)(dry)
    assert sent.decide() is Refusal.PROMOTION_ALREADY_ROLLED_BACK


def test_the_one_before_the_flagged_one() -> None:
    """A target that was bad when it was replaced is passed over; both bad at the same time stops everything."""
    before = replace(STABLE, version="0", serves=False, served_until=T0 - 10 * DAY, seen=OLD)
    flagged = replace(STABLE, serves=False, served_until=T0 - 2 * HOUR, flagged=True)
    assert evidence(targets=(flagged, before))(Case()).decide() == replace(PROVEN, to_version="0")
    both_bad = replace(STABLE, flagged=True)
    assert evidence(targets=(both_bad, before))(Case()).decide() is Refusal.COMMON_CAUSE


def test_a_later_promotion_is_judged_on_its_own() -> None:
    """The rollback of an earlier promotion of the same version says nothing against this one."""
    case = earlier(window_end=T0 - 3 * HOUR, decided_at=T0 - 3 * DAY, state=ActionState.SUCCEEDED)(Case())
    assert case.decide() == PROVEN


def answers(
    *, tier: Tier = Tier.CRITICAL, shown: RollbackEvidence = EVIDENCE, mode: ActionMode = ActionMode.AUTO
) -> tuple[GuardAnswer, ...]:
    """Return what the guard answers with both actions in the same mode."""
    chosen = {"mode": mode}
    actions = ActionsSpec(retraining=RETRAINING.model_copy(update=chosen), rollback=ROLLBACK.model_copy(update=chosen))
    return guard_answers(SITUATION, replace(PROPOSAL, tier=tier), shown, actions=actions)


def test_the_guard_answers_for_what_the_tier_asks() -> None:
    """Nothing below alert; a retraining from alert on; when critical the rollback, and then nothing is retrained."""
    rollback = GuardAnswer(kind=ActionKind.ROLLBACK, to_version="1", ground=Ground.QUALITY_WORSE)
    retraining = GuardAnswer(kind=ActionKind.RETRAINING)
    cured = GuardAnswer(kind=ActionKind.RETRAINING, refusal=Refusal.ROLLBACK_IS_THE_CURE)
    assert answers(tier=Tier.WARNING) == ()
    assert answers(tier=Tier.ALERT) == (retraining,)
    assert answers() == (rollback, cured)


def test_in_mode_approve_people_decide_everything() -> None:
    """Also what would be sent at once in mode auto."""
    rollback = GuardAnswer(kind=ActionKind.ROLLBACK, to_version="1", ground=Ground.QUALITY_WORSE, needs_approval=True)
    assert answers(mode=ActionMode.APPROVE)[0] == rollback
    assert answers(tier=Tier.ALERT, mode=ActionMode.APPROVE) == (
        GuardAnswer(kind=ActionKind.RETRAINING, needs_approval=True),
    )
