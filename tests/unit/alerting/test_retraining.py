"""Each rail of a retraining request; how often one standing incident may ask, and when it asks something else."""

from dataclasses import dataclass, replace

import pytest

from alerting.actions.evidence import Decisions, Proposal, RollbackEvidence, Situation
from alerting.actions.reasons import Ground, Refusal
from alerting.actions.retraining import retraining_refusal
from monitor.spec.actions import ActionMode, RetrainingSpec
from monitor.types import ActionKind, ActionState, IncidentKind, Stage, Tier
from monitor.units import DAY_MILLIS as DAY
from monitor.units import HOUR_MILLIS as HOUR
from tests.models.guarded import Event
from tests.models.holding import held_by_ada
from tests.unit.alerting.test_guard import CANARY, ENDPOINT, NOW, PROMOTED
from tests.unit.alerting.timeline import T0

RULES = RetrainingSpec(mode=ActionMode.AUTO, **ENDPOINT)
SITUATION = Situation(
    now_millis=T0 + 60_000,
    actions_enabled=True,
    data_quality_open=False,
    open_incidents=frozenset({"this one"}),
)
PROPOSAL = Proposal(
    incident_id="this one",
    kind=IncidentKind.DRIFT,
    tier=Tier.ALERT,
    version="1",
    opened_end=T0 - HOUR,
    window_end=T0,
    fresh=True,
)


@dataclass(frozen=True)
class Request:
    """A retraining that was asked for eight days ago, unless a test says otherwise."""

    state: ActionState = ActionState.SUCCEEDED
    incident_id: str = "this one"
    decided_at: int = T0 - 8 * DAY
    kind: ActionKind = ActionKind.RETRAINING
    reason: str = "drift_alert"
    from_version: str = "1"
    window_end: int = T0 - 8 * DAY


NOTHING_SEEN = RollbackEvidence()


def refusal(
    situation: Situation = SITUATION,
    proposal: Proposal = PROPOSAL,
    evidence: RollbackEvidence = NOTHING_SEEN,
    *,
    rollback_asked: bool = False,
) -> Refusal | None:
    return retraining_refusal(situation, proposal, evidence, rules=RULES, rollback_asked=rollback_asked)


def after(*requests: Request, **values: object) -> Situation:
    return replace(SITUATION, earlier=requests, **values)  # type: ignore[arg-type]


def test_nothing_in_the_way_it_is_asked_for() -> None:
    """The case that every row below is one step away from."""
    assert refusal() is None


@pytest.mark.parametrize(
    ("situation", "proposal", "expected"),
    [
        pytest.param({"actions_enabled": False}, {}, Refusal.ACTIONS_DISABLED, id="global switch"),
        pytest.param({"holds": held_by_ada(None)}, {}, Refusal.ACTIONS_HELD, id="a person holds every action"),
        pytest.param({"holds": held_by_ada(ActionKind.RETRAINING)}, {}, Refusal.ACTIONS_HELD, id="and retrainings"),
        pytest.param({"holds": held_by_ada(ActionKind.ROLLBACK)}, {}, None, id="rollbacks alone are held"),
        pytest.param({}, {"kind": IncidentKind.DATA_QUALITY}, Refusal.DATA_QUALITY_INCIDENT, id="data quality"),
        pytest.param({}, {"kind": IncidentKind.BLIND}, Refusal.KIND_NEVER_ACTS, id="blind"),
        pytest.param({"data_quality_open": True}, {}, Refusal.DATA_QUALITY_OPEN, id="a field is broken"),
        pytest.param({}, {"tier": Tier.WARNING}, Refusal.TIER_BELOW_ALERT, id="a warning"),
        pytest.param({"common_cause": True}, {}, Refusal.COMMON_CAUSE, id="many models"),
        pytest.param({}, {"fresh": False}, Refusal.STALE, id="stale"),
        pytest.param({"hour_spent": True}, {}, Refusal.HOURLY_BUDGET_SPENT, id="all models' budget"),
    ],
)
def test_rails(situation: dict[str, object], proposal: dict[str, object], expected: Refusal) -> None:
    """Blocked, and for this reason."""
    blocked = replace(SITUATION, **situation), replace(PROPOSAL, **proposal)  # type: ignore[arg-type]
    assert refusal(*blocked) is expected


def test_mode_off_blocks() -> None:
    """Off is off."""
    off = RetrainingSpec(mode=ActionMode.OFF)
    assert retraining_refusal(SITUATION, PROPOSAL, NOTHING_SEEN, rules=off) is Refusal.MODE_OFF


def test_never_where_the_rollback_is_the_cure() -> None:
    """A bad canary was rolled back and asked for a retraining in the same window; a rejected rollback cures nothing."""
    assert refusal(rollback_asked=True) is Refusal.ROLLBACK_IS_THE_CURE
    bound = RollbackEvidence(version_bound=True)
    assert refusal(evidence=bound) is Refusal.ROLLBACK_IS_THE_CURE
    rollback = Request(kind=ActionKind.ROLLBACK, state=ActionState.AWAITING_APPROVAL)
    assert refusal(after(rollback)) is Refusal.ROLLBACK_IS_THE_CURE
    assert refusal(after(replace(rollback, from_version="0"))) is None
    rejected = replace(rollback, state=ActionState.REJECTED, reason=Ground.QUALITY_WITHOUT_SHIFT)
    assert refusal(after(rejected), evidence=bound) is None


# A person rejected the rollback of version 2, a canary for two hours, an hour ago.
OF_CANARY = replace(PROPOSAL, version="2")
REJECTED = Request(
    kind=ActionKind.ROLLBACK,
    state=ActionState.REJECTED,
    reason=Ground.RECALIBRATED,
    from_version="2",
    window_end=T0 - HOUR,
    decided_at=T0 - HOUR,
)
SAME_SHIFT = RollbackEvidence(shift=NOW, version_bound=True, prediction_alone=True, decisions=Decisions.SAME)
ACCEPTED, CURE = Refusal.SHIFT_ACCEPTED, Refusal.ROLLBACK_IS_THE_CURE


@pytest.mark.parametrize(
    ("reason", "evidence", "expected"),
    [
        pytest.param(Ground.RECALIBRATED, {}, ACCEPTED, id="the same shift"),
        pytest.param(Ground.SHIFT_WITHOUT_LABELS, {}, ACCEPTED, id="decisions proven the same later"),
        pytest.param(Ground.CRITICAL_ALONE, {}, ACCEPTED, id="rejected with one key"),
        pytest.param(Ground.RECALIBRATED, {"decisions": Decisions.UNKNOWN}, ACCEPTED, id="decisions not known now"),
        pytest.param(
            Ground.SHIFT_WITHOUT_LABELS, {"decisions": Decisions.CHANGED}, ACCEPTED, id="other decisions, accepted"
        ),
        pytest.param(Ground.RECALIBRATED, {"decisions": Decisions.CHANGED}, None, id="other decisions since"),
        pytest.param(
            Ground.RECALIBRATED, {"decisions": Decisions.CHANGED, "fine": NOW}, ACCEPTED, id="other, labels are fine"
        ),
        pytest.param(Ground.RECALIBRATED, {"fine": NOW}, ACCEPTED, id="labels are fine"),
        pytest.param(Ground.QUALITY_WITHOUT_SHIFT, {"fine": NOW}, ACCEPTED, id="labels were worse, are fine"),
        pytest.param(Ground.QUALITY_WITHOUT_SHIFT, {}, None, id="labels proved it worse, going back is no cure"),
        pytest.param(Ground.RECALIBRATED, {"worse": NOW}, None, id="labels of both prove it worse"),
        pytest.param(Ground.RECALIBRATED, {"prediction_alone": False}, None, id="accuracy fell"),
        pytest.param(Ground.RECALIBRATED, {"prediction_alone": False, "version_bound": False}, None, id="inputs drift"),
        pytest.param(
            Ground.RECALIBRATED,
            {"prediction_alone": False, "version_bound": False, "fine": NOW},
            None,
            id="inputs drift, labels are fine",
        ),
    ],
)
def test_who_rejected_going_back_has_accepted_the_shift(
    reason: Ground, evidence: dict[str, object], expected: Refusal | None
) -> None:
    """A retraining was asked for the same version and the same shift of its score right after a person rejected it."""
    shown = replace(SAME_SHIFT, **evidence)  # type: ignore[arg-type]
    situation = after(replace(REJECTED, reason=reason), history=CANARY)
    assert refusal(situation, OF_CANARY, shown) is expected


def test_the_shift_stays_accepted_as_long_as_the_version_serves() -> None:
    """Beyond the look-back in the same incident, and in production; not of another shift, nor of another release."""
    beyond = replace(SAME_SHIFT, version_bound=False)
    rejected = after(REJECTED, history=CANARY)
    assert refusal(rejected, OF_CANARY, beyond) is Refusal.SHIFT_ACCEPTED
    assert refusal(rejected, replace(OF_CANARY, incident_id="weeks later"), beyond) is None
    assert refusal(rejected, replace(OF_CANARY, incident_id="opened again"), SAME_SHIFT) is Refusal.SHIFT_ACCEPTED
    promoted = replace(rejected, history=(*CANARY, Event("2", T0 - HOUR // 2, Stage.PRODUCTION)))
    assert refusal(promoted, OF_CANARY, SAME_SHIFT) is Refusal.SHIFT_ACCEPTED
    released_again = (*CANARY, Event("2", T0 - HOUR // 2, Stage.RETIRED), Event("2", T0 - HOUR // 4, Stage.CANARY))
    assert refusal(replace(rejected, history=released_again), OF_CANARY, SAME_SHIFT) is CURE
    of_another = after(replace(REJECTED, from_version="1"), history=PROMOTED)
    assert refusal(of_another, OF_CANARY, SAME_SHIFT) is CURE


@pytest.mark.parametrize("state", [ActionState.EXPIRED, ActionState.SUPERSEDED, ActionState.FAILED])
def test_only_a_persons_word_accepts_a_shift(state: ActionState) -> None:
    """What nobody answered is not accepted: the rollback stays the cure."""
    assert refusal(after(replace(REJECTED, state=state), history=CANARY), OF_CANARY, SAME_SHIFT) is CURE


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ActionState.DISPATCHING, Refusal.ALREADY_RUNNING),
        (ActionState.AWAITING_APPROVAL, Refusal.AWAITING_APPROVAL),
        (ActionState.UNKNOWN, Refusal.RESULT_UNKNOWN),
        (ActionState.ACCEPTED, Refusal.RESULT_UNKNOWN),
        (ActionState.SUCCEEDED, None),
        (ActionState.FAILED, None),
        (ActionState.EXPIRED, None),
        (ActionState.REJECTED, None),
    ],
)
def test_one_request_until_its_result_is_known(state: ActionState, expected: Refusal | None) -> None:
    """Eight days later: what was accepted or never answered still runs, as far as anybody knows."""
    assert refusal(after(Request(state=state))) is expected


@pytest.mark.parametrize("state", [ActionState.ACCEPTED, ActionState.UNKNOWN])
def test_what_shows_the_result(state: ActionState) -> None:
    """A new version that serves since, or a reference that people adopted since; not one from before."""
    unjudged = after(Request(state=state))
    new, old = Event("2", T0 - DAY, Stage.CANARY), Event("1", T0 - 20 * DAY, Stage.PRODUCTION)
    assert refusal(replace(unjudged, history=(old,))) is Refusal.RESULT_UNKNOWN
    assert refusal(replace(unjudged, history=(old, new))) is None
    assert refusal(replace(unjudged, adopted_at=T0 - 20 * DAY)) is Refusal.RESULT_UNKNOWN
    assert refusal(replace(unjudged, adopted_at=T0 - DAY)) is None


def test_an_incident_that_is_over_needs_no_result() -> None:
    """What was accepted for it holds back no other incident; what was never answered does."""
    of_another = Request(state=ActionState.ACCEPTED, incident_id="over")
    assert refusal(after(of_another)) is None
    still_open = frozenset({"this one", "over"})
    assert refusal(after(of_another, open_incidents=still_open)) is Refusal.RESULT_UNKNOWN
    assert refusal(after(replace(of_another, state=ActionState.UNKNOWN))) is Refusal.RESULT_UNKNOWN


def test_the_distance_grows() -> None:
    """After the first request a day, after the second a week."""
    asked = replace(PROPOSAL, opened_end=T0 - 10 * DAY)
    first = Request(decided_at=T0 - DAY)
    assert refusal(after(replace(first, decided_at=T0 - DAY + HOUR)), asked) is Refusal.COOLDOWN
    assert refusal(after(first), asked) is None
    second = after(replace(first, decided_at=T0 - 9 * DAY), replace(first, decided_at=T0 - 6 * DAY))
    assert refusal(second, asked) is Refusal.COOLDOWN
    assert refusal(after(Request(decided_at=T0 - 9 * DAY), Request(decided_at=T0 - 7 * DAY)), asked) is None


def test_a_month_has_three() -> None:
    """Whatever incidents ask: three in thirty days."""
    others = [Request(incident_id=f"over {day}", decided_at=T0 - day * DAY) for day in (29, 20, 10)]
    assert refusal(after(*others)) is Refusal.BUDGET_SPENT
    assert refusal(after(*others[1:])) is None


def test_what_stands_for_long_is_perhaps_the_new_normal() -> None:
    """Two weeks after it opened, and having asked: adopt the new state instead, whatever became of the request."""
    long = replace(PROPOSAL, opened_end=T0 - 14 * DAY)
    assert refusal(after(Request()), long) is Refusal.ADOPT_REFERENCE
    assert refusal(after(Request(state=ActionState.ACCEPTED)), long) is Refusal.ADOPT_REFERENCE
    assert refusal(SITUATION, long) is None, "it has not asked yet"


@pytest.mark.parametrize("open_too", [False, True])
def test_what_stands_for_long_asks_though_another_incidents_request_was_never_answered(open_too: bool) -> None:
    """It may not ask while that is unknown, maybe for ever: people are asked to adopt, and not only to answer that."""
    long = replace(PROPOSAL, opened_end=T0 - 14 * DAY)
    unanswered = Request(incident_id="another", state=ActionState.ACCEPTED if open_too else ActionState.UNKNOWN)
    situation = after(unanswered, open_incidents=frozenset({"this one", *(["another"] if open_too else [])}))
    assert refusal(situation) is Refusal.RESULT_UNKNOWN
    assert refusal(situation, long) is Refusal.ADOPT_REFERENCE


def test_a_dry_run_holds_back_dry_runs_only() -> None:
    """The first real request does not wait for a rehearsal, whose result never comes."""
    rehearsed = after(Request(state=ActionState.DRY_RUN))
    dry = RetrainingSpec(mode=ActionMode.DRY_RUN)
    assert refusal(rehearsed) is None
    assert retraining_refusal(rehearsed, PROPOSAL, NOTHING_SEEN, rules=dry) is Refusal.RESULT_UNKNOWN


def test_versions_before_do_not_count_as_new() -> None:
    """A version that served before the request and serves again is no answer to it."""
    unjudged = after(Request(state=ActionState.ACCEPTED), history=CANARY)
    again = (*CANARY, Event("1", T0 - HOUR, Stage.PRODUCTION))
    assert refusal(replace(unjudged, history=again[:1] + again[2:])) is Refusal.RESULT_UNKNOWN
