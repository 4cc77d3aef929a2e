"""State of an incident: its steps and their reasons, its id, its stored form."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

import msgspec

from alerting.incidents.holds import ScaleHold
from alerting.incidents.observation import worst_first
from alerting.incidents.recoveries import Recoveries
from monitor.results import Finding
from monitor.types import IncidentKind, IncidentStatus, ModelKey, Tier

NAMESPACE = UUID("6f0b1b5e-5d0c-5c39-9c57-3d2f6f1d7c11")  # never to change: every id is derived under it


class Step(StrEnum):
    """How a window changed an incident."""

    NOTHING = "nothing"
    OPENED = "opened"
    REOPENED = "re-opened"
    ESCALATED = "escalated"
    CALMED = "calmed"
    RESOLVED = "resolved"
    ANNOUNCED = "announced"  # nothing moved, but what was held back may be notified now
    JOINED = "joined"  # columns that nobody was notified of are found too
    WORSENED = "worsened"  # twice as bad as what people were notified of, at the same tier


class Reason(StrEnum):
    """Why a step was taken and, when nobody is notified of it, why not."""

    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"
    NOT_NEWER = "not_newer"
    FINDING_ENDURED = "finding_endured"
    FINDING_RETURNED = "finding_returned"
    TIER_HIGHER = "tier_higher"
    TIER_LOWER = "tier_lower"
    CALM_LONG_ENOUGH = "calm_long_enough"
    SCALE_REMOVED = "scale_removed"  # the spec no longer has the scales that held it
    VERSION_RETIRED = "version_retired"
    VERSION_SERVES = "version_serves"  # what was replaced serves again, by its deployment event
    NO_LONGER_HELD_BACK = "no_longer_held_back"
    COLUMN_JOINED = "column_joined"
    TWICE_AS_BAD = "twice_as_bad"
    NO_NEWS = "no_news"  # everyone who was notified of the last step knows this already, or nobody was of any
    STALE = "stale"
    INHIBITED_BY_DATA_QUALITY = "inhibited_by_data_quality"


class IncidentState(msgspec.Struct, frozen=True, kw_only=True):
    """State of one incident: everything that the next transition depends on.

    Attributes:
        first_end: End of the first window that opened it; part of the id.
        window_ends: Last seen conclusive window end per scale length in minutes.
        holds: Per scale length in minutes.
        notified: Highest tier that people were notified of since it last opened.
        notified_columns: Columns that held it or were listed when they were; None: the program before wrote it.
        notified_end: Window end of the last step that they were notified of, 0 where that is not known.
        notified_severity: As from `severity`, at that step.
        recovered: Columns that a scale saw recover, for the longer scales whose windows still hold the bad time.
        ever_held: Columns that held it since it first opened, the worst of each window first.
        retired: Closed because its version served no more, not because anything got better.
        receivers_recorded: Who was notified of it has rows of its own; false: the program before wrote it last.
    """

    id: str
    kind: IncidentKind
    version: str
    status: IncidentStatus
    tier: Tier
    first_end: int
    opened_end: int
    last_end: int
    resolved_end: int | None = None
    worst: Tier = Tier.NONE
    notified: Tier = msgspec.field(default=Tier.NONE, name="told")
    retired: bool = False
    window_ends: dict[int, int] = msgspec.field(default_factory=dict, name="ends")
    holds: dict[int, ScaleHold] = msgspec.field(default_factory=dict)
    notified_columns: tuple[str, ...] | None = None
    notified_end: int = 0
    notified_severity: float = 0.0
    recovered: Recoveries = msgspec.field(default_factory=dict)
    ever_held: tuple[str, ...] = ()
    receivers_recorded: bool = False

    @property
    def is_open(self) -> bool:
        return self.status is IncidentStatus.OPEN

    @property
    def moved(self) -> tuple[str, ...]:
        """Columns that moved in the newest window of each scale that still holds it, most certain first."""
        return tuple(dict.fromkeys(name for hold in self.holds.values() if hold.tier for name in hold.moved))

    @property
    def columns(self) -> frozenset[str]:
        """Columns that hold it at any scale."""
        return frozenset(name for length, hold in self.holds.items() for name in hold.columns_held(length))

    @property
    def columns_to_name(self) -> tuple[str, ...]:
        """Columns that held it at any time, those that hold it now too; of accuracy, which has no column, none."""
        now = (*(finding.column for finding in self.findings), *sorted(self.columns))
        return tuple(dict.fromkeys(name for name in (*self.ever_held, *now) if name))

    @property
    def known_columns(self) -> frozenset[str]:
        """Columns that people were notified of: of what the program before wrote, all of them."""
        if self.notified_columns is not None:
            return frozenset(self.notified_columns)
        return self.columns.union(self.moved) if self.notified else frozenset()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of every scale that still holds it, worst first, one per column and statistic."""
        unique: dict[tuple[str, str], Finding] = {}
        for finding in worst_first([finding for hold in self.holds.values() if hold.tier for finding in hold.findings]):
            unique.setdefault((finding.column, finding.statistic), finding)
        return tuple(unique.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentIdentity:
    """Model, version and kind of an incident."""

    model: ModelKey
    version: str
    kind: IncidentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDecision:
    """How one window changed the incident, and whether people are notified of it.

    Attributes:
        fresh: The window is new enough to notify people and to ask for actions.
        inhibited: A broken field held back what there was to say of drift.
        finding: The window shows it, so that those who were not notified so far may be.
        joined: Of `JOINED`: the columns that people are notified of for the first time.
    """

    step: Step
    reason: Reason
    incident_id: str
    kind: IncidentKind
    version: str
    window_end: int
    length: int
    tier_before: Tier
    tier: Tier
    notifies: bool
    fresh: bool
    inhibited: bool = False
    finding: bool = False
    joined: tuple[str, ...] = ()

    @property
    def held_back(self) -> bool:
        """Whether nobody is notified of anything but an end on this window."""
        return self.inhibited or not self.fresh


def severity(findings: Iterable[Finding]) -> float:
    """Return how bad performance is proven to be: by how much accuracy fell, or the share of errors over a floor.

    0.0 of anything else, whose tiers say how bad it is.
    """
    return max((_severity(finding) for finding in findings), default=0.0)


def _severity(finding: Finding) -> float:
    if finding.kind is not IncidentKind.PERFORMANCE:
        return 0.0
    # What is proven under a floor lies below its threshold, a drop above it.
    return 1.0 - finding.bound if finding.bound < finding.threshold else finding.bound


def incident_id(identity: IncidentIdentity, *, first_end: int) -> str:
    """Return the UUIDv5 of (namespace, model, version, kind, end of the first window)."""
    model = identity.model
    return str(
        uuid5(NAMESPACE, "\x1f".join((model.namespace, model.name, identity.version, identity.kind, str(first_end))))
    )


def encode_state(state: IncidentState) -> str:
    """Return canonical JSON: equal states give equal text."""
    return msgspec.json.encode(msgspec.to_builtins(state, str_keys=True), order="sorted").decode()


def decode_state(encoded: str) -> IncidentState:
    """Return the state that `encode_state` wrote."""
    return msgspec.json.decode(encoded, type=IncidentState)
