"""When a truth looks again for predictions: soon at first, then ever more rarely, up to the horizon."""

from itertools import chain, count

_FIRST_SECONDS = (1.0, 10.0, 60.0, 600.0, 3600.0)  # and from there twice as long each time
_MATCHED_SECONDS = (60.0, 3600.0, 86_400.0, 604_800.0)


def next_look_seconds(elapsed_seconds: float, *, matched: bool, horizon_seconds: float) -> float | None:
    """Return how long after the truth was first seen its next look is due, later than *elapsed_seconds*; None: never.

    Without a prediction: 1 s, 10 s, 1 min, 10 min, 1 h, 2 h, 4 h, … A truth that found one goes on, because another
    version's prediction of the same id may come later, but looks after 1 min, 1 h, 1 d and 7 d only (ADR 2). The last
    look of either is at the horizon itself. Looks that were missed while nothing ran are made up for by one.
    """
    if elapsed_seconds >= horizon_seconds:
        return None
    doubled = (_FIRST_SECONDS[-1] * 2.0**power for power in count(1))
    schedule = _MATCHED_SECONDS if matched else chain(_FIRST_SECONDS, doubled)
    due = next((seconds for seconds in schedule if seconds > elapsed_seconds), horizon_seconds)
    return min(due, horizon_seconds)
