"""A claim: what a whole window proves of one column, before the window before it was asked."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.types import IncidentKind, Statistic, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One tier that a claim may reach.

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
class Claim:
    """A statistic of one column that passed what its lowest level asks of the whole window.

    Attributes:
        column: Index in the layout.
        value, bound: The statistic and its proven bound.
        levels: Those the bound passes, highest tier first; never empty.
        shown: The level under which it is shown when it does not endure.
    """

    kind: IncidentKind
    column: int
    statistic: Statistic
    value: float
    bound: float
    levels: tuple[Level, ...]
    shown: Level

    @property
    def needs_previous(self) -> bool:
        """Whether the previous disjoint window can change the outcome."""
        return any(level.needs_previous and level.in_halves for level in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A claim's outcome: the highest level that endured, or the one under which it is only shown."""

    claim: Claim
    level: Level
    endured: bool


def settle(claim: Claim, *, shown_before: Callable[[Claim, Level], bool]) -> Settled:
    """Return the outcome of *claim*.

    Args:
        shown_before: Whether the previous disjoint window shows the claim at a level; False without such a window.
    """
    for level in claim.levels:
        if level.in_halves and (not level.needs_previous or shown_before(claim, level)):
            return Settled(claim=claim, level=level, endured=True)
    return Settled(claim=claim, level=claim.shown, endured=False)
