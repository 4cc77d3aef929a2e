"""Rewinds an incident's state after a clock was ahead, so that the next windows move it again; pure."""

import msgspec

from alerting.incidents.holds import CalmRun, ColumnHold, ScaleHold
from alerting.incidents.state import IncidentState


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
        notified_end=min(state.notified_end, to),
        # What was seen to be over at a wrong time says nothing about the time that comes.
        recovered={},
    )


def _rewound_hold(hold: ScaleHold, to: int) -> ScaleHold:
    first, second, third = (min(end, to) for end in hold.calm_ends)
    return msgspec.structs.replace(
        hold,
        bad_end=min(hold.bad_end, to),
        calm_ends=(first, second, third),
        columns={name: _rewound_column(column, to) for name, column in hold.columns.items()},
    )


def _rewound_column(column: ColumnHold, to: int) -> ColumnHold:
    calm = {
        tier: CalmRun(windows=run.windows, since=min(run.since, to), end=min(run.end, to), by_size=run.by_size)
        for tier, run in column.calm.items()
    }
    return msgspec.structs.replace(column, since=min(column.since, to), calm=calm)
