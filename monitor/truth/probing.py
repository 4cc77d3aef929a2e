"""When a truth looks again for predictions: soon at first, then ever more rarely, up to the horizon."""

_FIRST_SECONDS = (1, 10, 60, 600, 3600)


def next_probe_seconds(probes: int, *, horizon_seconds: float) -> float | None:
    """Return how long after the truth was first seen its next look is due, after *probes* looks; None: no more.

    1 s, 10 s, 1 m, 10 m, 1 h, 2 h, 4 h, … The schedule goes on after a match, because another version's prediction
    of the same id may come later; the last look is at the horizon itself.
    """
    if probes < len(_FIRST_SECONDS):
        due = float(_FIRST_SECONDS[probes])
    else:
        due = _FIRST_SECONDS[-1] * 2.0 ** min(probes - len(_FIRST_SECONDS) + 1, 60)
    if due < horizon_seconds:
        return due
    before = 0.0 if probes == 0 else next_probe_seconds(probes - 1, horizon_seconds=float("inf"))
    assert before is not None
    return horizon_seconds if before < horizon_seconds else None
