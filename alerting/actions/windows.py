"""A version's conclusive windows as the guard reads them, and where they come from; frozen."""

from dataclasses import dataclass
from typing import Protocol

from monitor.results import Finding, WindowResult
from monitor.types import EvaluationKind, IncidentKind, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ConclusiveWindow:
    """One conclusive window of one version.

    Attributes:
        end: In epoch milliseconds; *length* in minutes.
        labelled, correct: Of a window whose accuracy was judged.
        truths_after: How long (ms) after a prediction its truth was known, for as many as made the window mature.
    """

    length: int
    end: int
    result: WindowResult
    labelled: int = 0
    correct: int = 0
    truths_after: int = 0

    def findings(self, kind: IncidentKind, *, from_tier: Tier) -> list[Finding]:
        """Return the endured findings of *kind* from *from_tier* on."""
        return [finding for finding in self.result.of_kind(kind) if finding.tier >= from_tier]

    @property
    def calm(self) -> bool:
        """Whether nothing was found, and everything is past the closing threshold of every tier."""
        return not any(finding.endured for finding in self.result.findings) and self.result.calm_below == (
            True,
            True,
            True,
        )


class WindowArchive(Protocol):
    """Conclusive windows of one model, of whole versions."""

    def newest(
        self, version: str, kind: EvaluationKind, *, length: int, first_end: int, last_end: int
    ) -> ConclusiveWindow | None:
        """Return the newest one of *length* minutes that ends in ``[first_end, last_end]`` (ms)."""

    def oldest_mature(self, version: str, *, length: int, first_end: int, last_end: int) -> ConclusiveWindow | None:
        """Return the oldest one of accuracy that ends in ``[first_end, last_end]`` (ms)."""
