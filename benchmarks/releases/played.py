"""What came of a release that was played: incidents, actions granted and refused, what people answered."""

from dataclasses import dataclass, field

from benchmarks.releases.release import Release
from monitor.store.actions import ActionRow
from monitor.types import ActionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action that was granted.

    Attributes:
        at: When (ms).
        worse_by: By how much the version that is rolled back is truly less accurate than the one to go back to.
    """

    row: ActionRow
    at: int
    worse_by: float = 0.0
    approved: bool = False


@dataclass(slots=True, kw_only=True)
class Played:
    """What came of a release.

    Attributes:
        asked: What was granted, at once or to wait for a person.
        approved: What a person then sent.
        refused: (kind, incident, reason) of what was refused.
        rejected_at: When (ms) people rejected something.
    """

    release: Release
    incidents: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    approved: list[Asked] = field(default_factory=list)
    refused: set[tuple[ActionKind, str, str]] = field(default_factory=set)
    rejected_at: list[int] = field(default_factory=list)
