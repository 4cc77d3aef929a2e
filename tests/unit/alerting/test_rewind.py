"""An incident that windows of a wrong clock moved is set back, so that the next windows move it."""

from hypothesis import given
from hypothesis import strategies as st

from alerting.incidents.holds import ScaleHold
from alerting.incidents.observation import WindowObservation
from alerting.incidents.rewind import rewound
from alerting.incidents.state import IncidentIdentity, IncidentState, Reason, Step
from alerting.incidents.transition import IncidentRules, transition
from monitor.types import IncidentKind, IncidentStatus, ModelKey, Tier
from monitor.units import MINUTE_MILLIS

NOW = 1_790_000_000_000
AHEAD = NOW + 730 * 24 * 60 * MINUTE_MILLIS
RULES = IncidentRules(close_after=1, keep_firing_for=0, freshness=None, truth_delay=0)
IDENTITY = IncidentIdentity(model=ModelKey("default", "credit"), version="1", kind=IncidentKind.DRIFT)


def opened(end: int) -> IncidentState:
    return IncidentState(
        id="one",
        kind=IncidentKind.DRIFT,
        version="1",
        status=IncidentStatus.OPEN,
        tier=Tier.ALERT,
        first_end=end,
        opened_end=end,
        last_end=end,
        window_ends={10: end},
        holds={10: ScaleHold(tier=Tier.ALERT, bad_end=end, calm_ends=(end, end, end))},
    )


def window(end: int) -> WindowObservation:
    return WindowObservation(end=end, length=10, step=1, tier=Tier.NONE, calm=(True, True, True))


def test_a_window_of_now_moves_what_stood_in_the_future() -> None:
    """Before, it is not newer than what was seen; after, a calm one resolves the incident."""
    end = NOW + MINUTE_MILLIS
    state = opened(AHEAD)
    _, blocked = transition(state, window(end), identity=IDENTITY, rules=RULES, now_millis=end)
    moved, decision = transition(rewound(state, to=NOW), window(end), identity=IDENTITY, rules=RULES, now_millis=end)
    assert blocked is not None
    assert blocked.reason is Reason.NOT_NEWER
    assert decision is not None
    assert moved is not None
    assert (decision.step, moved.resolved_end) == (Step.RESOLVED, end)


@given(st.integers(0, 2 * AHEAD), st.integers(0, 2 * AHEAD))
def test_no_moment_of_a_rewound_incident_is_beyond_it(end: int, to: int) -> None:
    """And one that was not beyond stays as it is."""
    state = rewound(opened(end), to=to)
    (hold,) = state.holds.values()
    moments = (
        state.first_end,
        state.opened_end,
        state.last_end,
        *state.window_ends.values(),
        hold.bad_end,
        *hold.calm_ends,
    )
    assert set(moments) == {min(end, to)}
    assert (state == opened(end)) is (end <= to)
