"""The part of a backtest's document that tells incidents and actions; names are stable, as in `report`."""

import msgspec


class StepPart(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an incident.

    Attributes:
        at: When it would have been decided; *window_end*: end of the window that it was decided on.
        told: People would have been told; *page*: at tier alert or critical, and not of an improvement.
    """

    at: str
    window_end: str
    scale: str
    step: str
    reason: str
    tier: str
    told: bool
    page: bool
    sentence: str


class ActionPart(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident would have asked of another system.

    Attributes:
        outcome: ``asked`` or ``refused``.
        reason: Of a closed list; *explanation* is for people.
    """

    incident: str
    at: str
    action: str
    outcome: str
    reason: str
    explanation: str
    from_version: str
    to_version: str | None


class IncidentPart(msgspec.Struct, frozen=True, kw_only=True):
    """One incident.

    Attributes:
        tier: The worst that it reached.
        opened, closed: Ends of windows; *closed* None: open when the history ended.
        open_hours: Hours in which it was open, without the breaks before it opened again.
        scale: The window length that opened it.
        columns: Those that it named, the one it was opened for first.
        sentence: Why, from the step at which it was worst.
        findings: One sentence for each column and statistic of that step, worst first.
    """

    id: str
    kind: str
    version: str
    tier: str
    opened: str
    closed: str | None
    open_hours: float
    reopened: int
    scale: str
    columns: tuple[str, ...]
    sentence: str
    findings: tuple[str, ...]
    steps: tuple[StepPart, ...]
