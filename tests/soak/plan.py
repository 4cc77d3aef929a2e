"""What one soak does: how long, how fast, with which faults; everything random follows from its seed."""

from dataclasses import dataclass
from enum import StrEnum


class Hostile(StrEnum):
    """What producers do to the topics in addition to honest traffic."""

    CLOCK = "clock"
    POISON = "poison"
    VERSIONS = "versions"
    STRANGERS = "strangers"
    DUPLICATES = "duplicates"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """One run.

    Attributes:
        seed: Of traffic and of the order and kind of faults; what happens in between depends on the machine.
        events_per_second: Predictions; truths come about as many, deployments a few a minute.
        pause_seconds: Longest pause between two faults.
        postgres_delay_milliseconds: Each answer of Postgres is held back this long, as from another zone.
        group_protocol: `classic` or `consumer` (KIP-848).
    """

    minutes: float = 30.0
    seed: int = 1
    events_per_second: int = 300
    pause_seconds: float = 2.0
    partitions: int = 4
    postgres_delay_milliseconds: int = 0
    group_protocol: str = "classic"
    hostile: frozenset[Hostile] = frozenset(Hostile)


SESSION_MILLISECONDS = 6_000
DISORDER_SECONDS, LATENESS_SECONDS, IDLE_SECONDS = 10, 60, 15
MAX_MESSAGE_BYTES = 64 << 10

# Time as it passes in the field, but quicker: windows close in seconds and are final in minutes.
SETTINGS = {
    "DRIFTLINE_SESSION_TIMEOUT_MS": str(SESSION_MILLISECONDS),
    "DRIFTLINE_FLUSH_SECONDS": "1.0",
    "DRIFTLINE_DISORDER_SECONDS": str(DISORDER_SECONDS),
    "DRIFTLINE_ALLOWED_LATENESS_SECONDS": str(LATENESS_SECONDS),
    "DRIFTLINE_IDLE_TIMEOUT_SECONDS": str(IDLE_SECONDS),
    "DRIFTLINE_SETTLE_SECONDS": "2",
    "DRIFTLINE_MAX_MESSAGE_BYTES": str(MAX_MESSAGE_BYTES),
    "DRIFTLINE_REVISION_SECONDS": "5",
    "DRIFTLINE_SWEEP_SECONDS": "2",
}
