"""Draws window facts from a line of letters, one per window end of a scale.

``.`` calm, ``~`` neither a finding nor calm (inside the hysteresis), ``w`` ``a`` ``c`` a finding of that tier,
``?`` inconclusive, a space no window at all.
"""

from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import IncidentDecision, IncidentIdentity, IncidentState
from alerting.incidents.transition import IncidentRules, transition
from monitor.results import Finding
from monitor.types import IncidentKind, ModelKey, Statistic, Tier
from monitor.units import MINUTE_MILLIS

T0 = 1_750_000_000_000 // (60 * MINUTE_MILLIS) * (60 * MINUTE_MILLIS)
WHO = IncidentIdentity(model=ModelKey("default", "credit"), version="1", kind=IncidentKind.DRIFT)
RULES = IncidentRules(close_after=2, keep_firing_for=60 * MINUTE_MILLIS, freshness=None, truth_delay=0)
TIERS = {"w": Tier.WARNING, "a": Tier.ALERT, "c": Tier.CRITICAL}


def finding(
    tier: Tier = Tier.ALERT,
    *,
    column: str = "income",
    role: str = "feature",
    importance: float | None = None,
    kind: IncidentKind = IncidentKind.DRIFT,
    statistic: Statistic = Statistic.PSI,
) -> Finding:
    """Return an endured finding."""
    return Finding(
        kind=kind,
        column=column,
        statistic=statistic,
        tier=tier,
        endured=True,
        value=0.4,
        bound=0.3,
        threshold=0.2,
        role=role,
        importance=importance,
        sentence=f"{column} moved.",
    )


def facts(letter: str, end: int, *, length: int = 10, step: int = 1) -> WindowObservation:
    """Return what the window ending at *end* says."""
    tier = TIERS.get(letter, Tier.NONE)
    calm = {".": (True, True, True), "~": (False, False, False), "?": None}.get(
        letter, (False, tier < Tier.ALERT, tier < Tier.CRITICAL)
    )
    result = (finding(tier),) if tier else ()
    return WindowObservation(end=end, length=length, step=step, tier=tier, calm=calm, findings=result)


def line(letters: str, *, length: int = 10, step: int = 5, start: int = T0) -> list[WindowObservation]:
    """Return the facts of consecutive window ends, *step* minutes apart."""
    return [
        facts(letter, start + index * step * MINUTE_MILLIS, length=length, step=step)
        for index, letter in enumerate(letters)
        if letter != " "
    ]


def play(
    windows: list[WindowObservation],
    *,
    state: IncidentState | None = None,
    rules: IncidentRules = RULES,
    who: IncidentIdentity = WHO,
    inhibited: frozenset[int] = frozenset(),
    age_millis: int = 90_000,
) -> tuple[IncidentState | None, list[IncidentDecision]]:
    """Feed the windows in order, each *age_millis* after its end; return the last state and every decision."""
    decisions = []
    for index, window in enumerate(windows):
        state, decision = transition(
            state, window, identity=who, rules=rules, now_millis=window.end + age_millis, inhibited=index in inhibited
        )
        if decision is not None:
            decisions.append(decision)
    return state, decisions


def steps(decisions: list[IncidentDecision]) -> list[str]:
    """Return the steps that did something."""
    return [decision.step.value for decision in decisions if decision.step.value != "nothing"]
