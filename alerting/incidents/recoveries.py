"""Columns that shorter scales have seen recover: longer windows that hold the bad time say nothing of them; pure."""

from collections.abc import Iterable, Mapping

import msgspec

from alerting.incidents.observation import WindowObservation, worst_first
from monitor.types import Tier

TIERS = (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)

RecoveredSince = tuple[int, int, int]
"""For warning, alert and critical: since when (ms) a column is seen to be below it, 0 where it is not."""

Recoveries = dict[int, dict[str, RecoveredSince]]
"""By length in minutes of the scale that showed it, then by column."""


def with_recoveries(
    known: Recoveries, length: int, columns: Mapping[str, RecoveredSince], *, forget_before: int
) -> Recoveries:
    """Return *known* with those of a scale, later ones replacing earlier ones; none that ended before a time (ms)."""
    of_scale = dict(known.get(length, {}))
    for name, since in columns.items():
        of_scale[name] = _latest([since, of_scale.get(name, since)])
    recent = {
        scale: {name: since for name, since in by_column.items() if max(since) >= forget_before}
        for scale, by_column in {**known, length: of_scale}.items()
    }
    return {scale: by_column for scale, by_column in recent.items() if by_column}


def not_recovered(facts: WindowObservation, recoveries: Recoveries) -> WindowObservation:
    """Return the window without what it finds of time after which a shorter scale has seen the column recover."""
    if not facts.findings or not any(length < facts.length for length in recoveries):
        return facts
    tiers = [
        tier_left(finding.tier, facts.start_of(finding), recovered_since(finding.column, facts.length, recoveries))
        for finding in facts.findings
    ]
    left = tuple(
        finding if tier == finding.tier else msgspec.structs.replace(finding, tier=tier)
        for finding, tier in zip(facts.findings, tiers, strict=True)
        if tier
    )
    return msgspec.structs.replace(facts, tier=max(tiers), findings=worst_first(left))


def recovered_since(column: str, length: int, recoveries: Recoveries) -> RecoveredSince:
    """Return since when a scale shorter than *length* shows *column* below each tier."""
    times = [by_column[column] for scale, by_column in recoveries.items() if scale < length and column in by_column]
    return _latest([(0, 0, 0), *times])


def tier_left(tier: Tier, since: int, recovered: RecoveredSince) -> Tier:
    """Return the highest tier up to *tier* that data from *since* on (ms) can still show."""
    return max((left for left in TIERS if left <= tier and since >= recovered[left - 1]), default=Tier.NONE)


def _latest(times: Iterable[RecoveredSince]) -> RecoveredSince:
    warning, alert, critical = (max(of_tier) for of_tier in zip(*times, strict=True))
    return (warning, alert, critical)
