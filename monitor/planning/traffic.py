"""How many events come in: said, or taken from the reference's own time."""

from dataclasses import dataclass

from monitor.reference.profile import ReferenceProfile
from monitor.types import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Average traffic of one version.

    Attributes:
        source: Where the number is from, for people.
    """

    events_per_minute: float
    source: str


def reference_traffic(profile: ReferenceProfile) -> Traffic | None:
    """Return the reference's rows per minute from its first to its last event; None where it has no time span."""
    if profile.start is None or profile.end is None or profile.end <= profile.start:
        return None
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # The span from first to last row holds one row less than there are: two rows a minute apart are one a minute.
    return Traffic(
        events_per_minute=(profile.rows - 1) / minutes,
        source=f"the reference: {profile.rows:,} rows in {_days_or_minutes(minutes)}",
    )


def _days_or_minutes(minutes: float) -> str:
    return f"{minutes / 1440:.1f} days" if minutes >= 1440 else f"{minutes:,.0f} minutes"
