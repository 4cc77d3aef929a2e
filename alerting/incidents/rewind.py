"""Rewinds an incident's state after a clock was ahead, so that the next windows move it again; pure."""

import msgspec

from alerting.incidents.state import IncidentState, ScaleHold


def rewound(state: IncidentState, *, to: int) -> IncidentState:
    """Return *state* as if its windows beyond *to* (ms) had ended then; its findings and notifications stay."""
    return msgspec.structs.replace(
        state,
        first_end=min(state.first_end, to),
        opened_end=min(state.opened_end, to),
        last_end=min(state.last_end, to),
        resolved_end=None if state.resolved_end is None else min(state.resolved_end, to),
        window_ends={length: min(end, to) for length, end in state.window_ends.items()},
        holds={length: _rewound_hold(hold, to) for length, hold in state.holds.items()},
    )


def _rewound_hold(hold: ScaleHold, to: int) -> ScaleHold:
    first, second, third = (min(end, to) for end in hold.calm_ends)
    return msgspec.structs.replace(hold, bad_end=min(hold.bad_end, to), calm_ends=(first, second, third))
