"""Whether a reference has enough rows, and how many are enough for which scale."""

from dataclasses import dataclass

from monitor.detection import prepare
from monitor.planning.traffic import reference_traffic
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ModelSpec
from monitor.stats.psi_bounds import tier_threshold
from monitor.types import Scale

BINS = 10  # deciles: what most numeric columns are compared in
PLENTY = 1e9  # events of a window whose traffic is not known: the reference alone limits what it proves
MOST_ROWS = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsForScale:
    """What a reference of so many rows proves at one scale, of a column in deciles that does not move by itself.

    Attributes:
        events: In a window, at the reference's own pace; None: not known.
        proven_from: The observed PSI that proves the warning tier.
        needed: Rows with which a PSI of the critical tier proves it; None: the window has too few events for that,
            whatever the reference.
    """

    scale: Scale
    events: float | None
    proven_from: float
    needed: int | None


def rows_for_scales(spec: ModelSpec, profile: ReferenceProfile) -> tuple[RowsForScale, ...]:
    """Return the answer for each scale whose windows have enough events to be judged, shortest first.

    All scales where the pace is not known.
    """
    prepared, traffic = prepare(spec, profile), reference_traffic(profile)
    tiers, found = spec.drift.tiers, []
    for scale in spec.scales:
        events = None if traffic is None else traffic.events_per_minute * scale.length
        if events is not None and events < prepared.min_events:
            continue
        n = PLENTY if events is None else events

        def proven_from(rows: float, n: float = n) -> float:
            return tier_threshold(tiers.warning, bins=BINS, n=n, m=rows, alpha=prepared.alpha)

        needed = None
        if proven_from(MOST_ROWS) <= tiers.critical:
            low, high = 0, MOST_ROWS
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if proven_from(middle) <= tiers.critical else (middle, high)
            needed = high
        found.append(
            RowsForScale(scale=scale, events=events, proven_from=proven_from(max(profile.rows, 1)), needed=needed)
        )
    return tuple(found)


def too_few_rows(spec: ModelSpec, profile: ReferenceProfile) -> str | None:
    """Return why the reference is refused, None when it is not.

    Refused is what would not be judged as a window either: such a reference proves nothing, and its silence would be
    taken for good news.
    """
    least = spec.windows.min_events
    if profile.rows >= least:
        return None
    found = f"{profile.rows:,} rows" if profile.rows != 1 else "one row"
    if profile.weighed_rows:
        found = f"{profile.weighed_rows:,} weighed rows worth {profile.rows:,}"
    return f"expected at least {least:,} rows (windows.min_events), found {found}{_enough(spec, profile)}"


def few_rows(spec: ModelSpec, profile: ReferenceProfile) -> str | None:
    """Return what a reference that is not refused is too small for, None when it is small for nothing."""
    limited = [
        each
        for each in rows_for_scales(spec, profile)
        if each.needed is not None and profile.rows < each.needed and each.proven_from > spec.drift.tiers.critical
    ]
    if not limited:
        return None
    first = limited[0]
    return (
        f"{profile.rows:,} rows are few: at {first.scale} drift is proven from a PSI of {first.proven_from:.2f} on"
        f"{_enough(spec, profile)}."
    )


def _enough(spec: ModelSpec, profile: ReferenceProfile) -> str:
    known = [each for each in rows_for_scales(spec, profile) if each.needed is not None]
    if not known:
        return ""
    critical = spec.drift.tiers.critical
    chosen = known[:1] if known[0].needed == known[-1].needed else [known[0], known[-1]]
    parts = [
        f"{each.needed:,} for {each.scale}{'' if each.events is None else f' (about {each.events:,.0f} events)'}"
        for each in chosen
    ]
    return f"; rows that prove drift where a window shows a PSI of {critical:g}: {', '.join(parts)}"
