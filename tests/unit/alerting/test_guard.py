"""Each rail blocks an action and says why; without the rail's cause the same action runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from alerting.actions.guard import (
    GuardAnswer,
    Proposal,
    Refusal,
    RollbackEvidence,
    guard_answers,
    retraining_refusal,
    rollback_decision,
)
from monitor.spec.actions import ActionMode, ActionsSpec, RetrainingSpec, RollbackSpec
from monitor.types import ActionKind, ActionState, IncidentKind, Stage, Tier
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import T0, finding

HOUR = 60 * MINUTE_MILLIS
DAY = 24 * HOUR


@dataclass(frozen=True)
class Event:
    version: str
    event_time: int
    stage: Stage
    traffic: float | None = None
    assumed: bool = False


@dataclass(frozen=True)
class Earlier:
    kind: ActionKind
    state: ActionState = ActionState.ACCEPTED
    from_version: str = "2"
    window_end: int = T0
    decided_at: int = T0


def one_of_each(**values: object) -> tuple[Earlier, ...]:
    """A retraining and a rollback from before; each holds back its own kind only."""
    return tuple(replace(Earlier(kind=kind), **values) for kind in ActionKind)  # type: ignore[arg-type]


# v1 in production for ten days, v2 a canary for two hours:   1 ────────────────────────►
#                                                                              2 ── T0
CANARY = (Event("1", T0 - 10 * DAY, Stage.PRODUCTION), Event("2", T0 - 2 * HOUR, Stage.CANARY))
# v2 took production over two hours ago:                      1 ──────────────┤
#                                                                              2 ── T0
PROMOTED = (Event("1", T0 - 10 * DAY, Stage.PRODUCTION), Event("2", T0 - 2 * HOUR, Stage.PRODUCTION))

PROPOSAL = Proposal(
    kind=IncidentKind.DRIFT,
    tier=Tier.CRITICAL,
    version="2",
    window_end=T0,
    fresh=True,
    now_millis=T0 + 60_000,
    actions_enabled=True,
    held=False,
    data_quality_open=False,
)
SCORE = finding(Tier.CRITICAL, column="score", role="score")
EVIDENCE = RollbackEvidence(drift=(SCORE,), performance_tier=Tier.CRITICAL)
ENDPOINT = {"url": "https://example.org/hook", "secret_env": "SECRET"}
RETRAINING = RetrainingSpec(mode=ActionMode.AUTO, **ENDPOINT)
ROLLBACK = RollbackSpec(mode=ActionMode.AUTO, **ENDPOINT)

Change = Callable[[Proposal], Proposal]


def changed(**values: object) -> Change:
    return lambda proposal: replace(proposal, **values)  # type: ignore[arg-type]


COMMON: list[tuple[Change, Refusal]] = [
    (changed(actions_enabled=False), Refusal.ACTIONS_DISABLED),
    (changed(held=True), Refusal.MODEL_HELD),
    (changed(kind=IncidentKind.DATA_QUALITY), Refusal.DATA_QUALITY_INCIDENT),
    (changed(kind=IncidentKind.BLIND), Refusal.KIND_NEVER_ACTS),
    (changed(data_quality_open=True), Refusal.DATA_QUALITY_OPEN),
    (changed(fresh=False), Refusal.STALE),
    (changed(earlier=one_of_each(state=ActionState.DISPATCHING, from_version="0")), Refusal.ALREADY_RUNNING),
    (changed(earlier=one_of_each(from_version="0", decided_at=T0 - DAY + 120_000)), Refusal.COOLDOWN),
    (changed(earlier=one_of_each(state=ActionState.FAILED, from_version="0")), Refusal.COOLDOWN),
]


def test_nothing_in_the_way_both_actions_run() -> None:
    """The case that every rail below is one step away from."""
    assert retraining_refusal(PROPOSAL, rules=RETRAINING) is None
    assert rollback_decision(PROPOSAL, EVIDENCE, CANARY, rules=ROLLBACK) == "1"
    assert rollback_decision(PROPOSAL, EVIDENCE, PROMOTED, rules=ROLLBACK) == "1"


@pytest.mark.parametrize(("change", "refusal"), COMMON, ids=lambda part: getattr(part, "value", ""))
def test_rails_that_both_actions_share(change: Change, refusal: Refusal) -> None:
    """Blocked, and for this reason."""
    assert retraining_refusal(change(PROPOSAL), rules=RETRAINING) is refusal
    assert rollback_decision(change(PROPOSAL), EVIDENCE, CANARY, rules=ROLLBACK) is refusal


def test_mode_off_blocks() -> None:
    """Off is off."""
    assert retraining_refusal(PROPOSAL, rules=RetrainingSpec(mode=ActionMode.OFF)) is Refusal.MODE_OFF
    off = RollbackSpec(mode=ActionMode.OFF)
    assert rollback_decision(PROPOSAL, EVIDENCE, CANARY, rules=off) is Refusal.MODE_OFF


def test_tiers_block() -> None:
    """A retraining from alert on, a rollback only when critical."""
    warning, alert = replace(PROPOSAL, tier=Tier.WARNING), replace(PROPOSAL, tier=Tier.ALERT)
    assert retraining_refusal(warning, rules=RETRAINING) is Refusal.TIER_BELOW_ALERT
    assert retraining_refusal(alert, rules=RETRAINING) is None
    assert rollback_decision(alert, EVIDENCE, CANARY, rules=ROLLBACK) is Refusal.TIER_BELOW_CRITICAL


def test_the_guard_answers_for_what_the_tier_asks() -> None:
    """Nothing below alert; a retraining from alert on; when critical the rollback too, and first."""
    actions = ActionsSpec(retraining=RETRAINING, rollback=ROLLBACK)
    retraining, rollback = (
        GuardAnswer(kind=ActionKind.RETRAINING),
        GuardAnswer(kind=ActionKind.ROLLBACK, to_version="1"),
    )
    given = [
        guard_answers(replace(PROPOSAL, tier=tier), EVIDENCE, CANARY, actions=actions)
        for tier in (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)
    ]
    assert given == [(), (retraining,), (rollback, retraining)]


def test_one_action_does_not_hold_back_the_other() -> None:
    """A rollback that is under way, and its cooldown, say nothing against a retraining; nor the other way round."""
    actions = ActionsSpec(retraining=RETRAINING, rollback=ROLLBACK)
    for running in ActionKind:
        earlier = (Earlier(kind=running, state=ActionState.DISPATCHING, from_version="0"),)
        given = guard_answers(replace(PROPOSAL, earlier=earlier), EVIDENCE, CANARY, actions=actions)
        assert {answer.kind for answer in given if answer.refusal is None} == set(ActionKind) - {running}
        assert {answer.refusal for answer in given if answer.kind is running} == {Refusal.ALREADY_RUNNING}


def test_the_cooldown_ends() -> None:
    """Exactly after the cooldown the next one may run."""
    earlier = one_of_each(from_version="0", decided_at=PROPOSAL.now_millis - DAY)
    assert retraining_refusal(replace(PROPOSAL, earlier=earlier), rules=RETRAINING) is None


def test_a_dry_run_holds_back_dry_runs_only() -> None:
    """The first real action does not wait for the cooldown of a rehearsal."""
    asked = replace(PROPOSAL, earlier=one_of_each(state=ActionState.DRY_RUN, from_version="0"))
    assert retraining_refusal(asked, rules=RETRAINING) is None
    assert retraining_refusal(asked, rules=RetrainingSpec(mode=ActionMode.DRY_RUN)) is Refusal.COOLDOWN


INPUT = finding(Tier.CRITICAL, column="income", importance=0.2)
OTHER = finding(Tier.CRITICAL, column="age", importance=0.2)
LIGHT = finding(Tier.CRITICAL, column="age", importance=0.05)
ONE_KEY = RollbackSpec(mode=ActionMode.AUTO, keys=1, **ENDPOINT)
PRODUCTION_SINCE_BEFORE = (Event("2", T0 - 10 * DAY, Stage.PRODUCTION),)


@pytest.mark.parametrize(
    ("evidence", "history", "rules", "expected"),
    [
        pytest.param(RollbackEvidence(drift=(INPUT, OTHER)), CANARY, ROLLBACK, Refusal.INPUT_DRIFT_ONLY, id="inputs"),
        pytest.param(
            RollbackEvidence(drift=(INPUT, OTHER), clear=frozenset({"1"})),
            CANARY,
            ROLLBACK,
            Refusal.INPUT_DRIFT_ONLY,
            id="inputs, other version clear",
        ),
        pytest.param(
            RollbackEvidence(drift=(INPUT, OTHER), performance_tier=Tier.CRITICAL),
            CANARY,
            ROLLBACK,
            "1",
            id="important inputs and labelled performance",
        ),
        pytest.param(
            RollbackEvidence(drift=(INPUT, LIGHT), performance_tier=Tier.CRITICAL),
            CANARY,
            ROLLBACK,
            Refusal.FIRST_KEY_MISSING,
            id="unimportant inputs",
        ),
        pytest.param(
            RollbackEvidence(performance_tier=Tier.CRITICAL),
            CANARY,
            ROLLBACK,
            Refusal.FIRST_KEY_MISSING,
            id="key 2 alone",
        ),
        pytest.param(RollbackEvidence(drift=(SCORE,)), CANARY, ROLLBACK, Refusal.SECOND_KEY_MISSING, id="key 1 alone"),
        pytest.param(
            RollbackEvidence(drift=(SCORE,), performance_tier=Tier.ALERT),
            CANARY,
            ROLLBACK,
            Refusal.SECOND_KEY_MISSING,
            id="performance not critical",
        ),
        pytest.param(
            RollbackEvidence(drift=(SCORE,), clear=frozenset({"1"})), CANARY, ROLLBACK, "1", id="other version clear"
        ),
        pytest.param(RollbackEvidence(drift=(SCORE,)), CANARY, ONE_KEY, "1", id="keys 1: prediction"),
        pytest.param(RollbackEvidence(performance_tier=Tier.CRITICAL), CANARY, ONE_KEY, "1", id="keys 1: performance"),
        pytest.param(RollbackEvidence(drift=(INPUT, OTHER)), CANARY, ONE_KEY, "1", id="keys 1: important inputs"),
        pytest.param(
            RollbackEvidence(drift=(INPUT, LIGHT)), CANARY, ONE_KEY, Refusal.INPUT_DRIFT_ONLY, id="keys 1: light inputs"
        ),
        pytest.param(EVIDENCE, (), ROLLBACK, Refusal.NO_VERSION_CHANGE, id="no history"),
        pytest.param(EVIDENCE, PRODUCTION_SINCE_BEFORE, ROLLBACK, Refusal.NO_VERSION_CHANGE, id="too long ago"),
        pytest.param(
            EVIDENCE,
            (Event("2", T0 - HOUR, Stage.PRODUCTION),),
            ROLLBACK,
            Refusal.NO_VERSION_CHANGE,
            id="first version",
        ),
        pytest.param(
            EVIDENCE,
            (*PROMOTED, Event("3", T0 - HOUR, Stage.PRODUCTION)),
            ROLLBACK,
            Refusal.SUPERSEDED,
            id="another serves",
        ),
        pytest.param(
            EVIDENCE, (*CANARY, Event("2", T0 - HOUR, Stage.RETIRED)), ROLLBACK, Refusal.SUPERSEDED, id="canary ended"
        ),
        pytest.param(
            EVIDENCE,
            (Event("1", T0 - 2 * HOUR - MINUTE_MILLIS, Stage.PRODUCTION), Event("2", T0 - 2 * HOUR, Stage.CANARY)),
            ROLLBACK,
            Refusal.NO_KNOWN_TARGET,
            id="target too young",
        ),
        pytest.param(
            EVIDENCE,
            (*PROMOTED, Event("1", PROMOTED[-1].event_time + 60_000, Stage.RETIRED)),
            ROLLBACK,
            Refusal.NO_KNOWN_TARGET,
            id="target retired",
        ),
        pytest.param(
            replace(EVIDENCE, flagged=frozenset({"1"})),
            CANARY,
            ROLLBACK,
            Refusal.TARGET_FLAGGED,
            id="both versions bad",
        ),
        pytest.param(
            replace(EVIDENCE, flagged=frozenset({"1"})),
            (Event("0", T0 - 20 * DAY, Stage.PRODUCTION), *PROMOTED),
            ROLLBACK,
            "0",
            id="the one before the flagged one",
        ),
    ],
)
def test_rollback_needs_its_evidence(
    evidence: RollbackEvidence, history: tuple[Event, ...], rules: RollbackSpec, expected: Refusal | str
) -> None:
    """The table of evidence: what rolls back, what never does, and why."""
    assert rollback_decision(PROPOSAL, evidence, history, rules=rules) == expected


def test_one_rollback_per_promotion() -> None:
    """A second one is refused even past the cooldown; a later promotion of the same version is judged on its own."""
    past = Earlier(kind=ActionKind.ROLLBACK, window_end=T0 - HOUR, decided_at=T0 - 3 * DAY)
    asked = replace(PROPOSAL, earlier=(past,))
    refused = rollback_decision(asked, EVIDENCE, CANARY, rules=ROLLBACK)
    assert refused is Refusal.PROMOTION_ALREADY_ROLLED_BACK
    before = replace(PROPOSAL, earlier=(replace(past, window_end=T0 - 3 * HOUR),))
    assert rollback_decision(before, EVIDENCE, CANARY, rules=ROLLBACK) == "1"


def test_the_look_back_bounds_the_version_change() -> None:
    """A change older than look_back is not the cause."""
    short = RollbackSpec(mode=ActionMode.AUTO, look_back=timedelta(hours=1), **ENDPOINT)
    assert rollback_decision(PROPOSAL, EVIDENCE, CANARY, rules=short) is Refusal.NO_VERSION_CHANGE
