"""Evidence: what a whole window proves of one column, before the previous window is considered."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.types import IncidentKind, Statistic, Tier

DRIFT_STATISTICS = (Statistic.PSI, Statistic.KS, Statistic.ANYTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierLevel:
    """One tier that evidence may reach, and what it asks for.

    Attributes:
        threshold: What the bound has to pass.
        in_halves: Both halves show it by themselves.
        needs_previous: The previous disjoint window must show it too.
    """

    tier: Tier
    threshold: float
    in_halves: bool
    needs_previous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A statistic of one column that passed what its lowest level asks of the whole window.

    Attributes:
        column: Index in the layout.
        value, bound: The statistic and its proven bound.
        levels: Those the bound passes, highest tier first; never empty.
    """

    column: int
    statistic: Statistic
    value: float
    bound: float
    levels: tuple[TierLevel, ...]

    @property
    def kind(self) -> IncidentKind:
        """Which incident it belongs to."""
        return IncidentKind.DRIFT if self.statistic in DRIFT_STATISTICS else IncidentKind.DATA_QUALITY

    @property
    def shown(self) -> TierLevel:
        """The level under which it is shown when it does not endure: of drift the highest, of bad data the lowest."""
        return self.levels[0 if self.kind is IncidentKind.DRIFT else -1]

    @property
    def needs_previous(self) -> bool:
        """Whether the previous disjoint window can change the outcome."""
        return any(level.needs_previous and level.in_halves for level in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOutcome:
    """Outcome of evidence: the highest level that endured, or the one under which it is only shown."""

    evidence: Evidence
    level: TierLevel
    endured: bool


def evidence_outcome(evidence: Evidence, *, shown_before: Callable[[Evidence, TierLevel], bool]) -> EvidenceOutcome:
    """Return the outcome of *evidence*.

    Args:
        shown_before: Whether the previous disjoint window shows the same at a level; False without such a window.
    """
    for level in evidence.levels:
        if level.in_halves and (not level.needs_previous or shown_before(evidence, level)):
            return EvidenceOutcome(evidence=evidence, level=level, endured=True)
    return EvidenceOutcome(evidence=evidence, level=evidence.shown, endured=False)
