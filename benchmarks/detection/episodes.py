"""Episodes: what people would have been notified of, and how a run of alarming windows becomes one."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message that people would have got about an incident.

    Attributes:
        at: When it could be sent (ms): the end of its window, of accuracy when its truths were known.
        tier: Of the incident, 0 (nothing) to 3 (critical).
        columns: That the incident is held by, the worst first.
        resolved: It says that the incident is over.
    """

    at: int
    tier: int
    columns: tuple[str, ...] = ()
    resolved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One incident, or for a rule without incidents one maximal run of alarming windows; times in ms.

    Attributes:
        kind: ``drift``, ``performance`` or ``data_quality``.
        opened: End of the window that opened it.
        alerted: End of the window at which it first was an alert or worse; None: it stayed a warning.
        closed: End of the window that closed it; None: it was open at the end.
        columns: As named when it opened, the worst first.
        reopened: How often it opened again after it was closed.
        messages: In order of time.
        rollbacks, retrainings: Actions that were proposed.
        cause: What made it open, for people.
    """

    kind: str
    opened: int
    alerted: int | None = None
    closed: int | None = None
    columns: tuple[str, ...] = ()
    reopened: int = 0
    messages: tuple[Message, ...] = ()
    rollbacks: int = 0
    retrainings: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One judged window of a rule without incidents: its end (ms) and the columns that it flags, the worst first."""

    end: int
    columns: tuple[str, ...]


def runs_of(windows: Sequence[Alarm], *, kind: str = "drift") -> tuple[Episode, ...]:
    """Return each maximal run of alarming windows, *windows* being all judged ones in order of end.

    A run is closed by the first window that flags nothing.
    """
    results: list[Episode] = []
    begun: Alarm | None = None
    for window in windows:
        if window.columns and begun is None:
            begun = window
        elif not window.columns and begun is not None:
            results.append(Episode(kind=kind, opened=begun.end, closed=window.end, columns=begun.columns))
            begun = None
    if begun is not None:
        results.append(Episode(kind=kind, opened=begun.end, columns=begun.columns))
    return tuple(results)
