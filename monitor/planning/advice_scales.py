"""Advice about scales: which never conclude at this traffic, and at which an OK says little."""

import math
from collections.abc import Iterator

from monitor.planning.answers import Advice
from monitor.planning.scale_plan import events_needed
from monitor.planning.situation import Situation
from monitor.types import Tier, span_text


def scale_advice(situation: Situation) -> Iterator[Advice]:
    """Yield advice about `windows.scales` and `windows.min_events`."""
    yield from _never_concluding(situation)
    yield from _saying_little(situation)


def shortest_concluding(min_events: int, events_per_minute: float) -> int:
    """Return a short window (minutes) that holds *min_events* on average: whole even minutes, hours or days."""
    minutes = min_events / events_per_minute
    unit = 2 if minutes <= 120 else 60 if minutes <= 2 * 1440 else 1440
    return max(2, unit * math.ceil(minutes / unit))


def _never_concluding(situation: Situation) -> Iterator[Advice]:
    silent = [each for each in situation.scales if not each.concludes]
    if not silent:
        return
    minimum, pace = situation.prepared.min_events, situation.traffic.events_per_minute
    names = ", ".join(each.scale for each in silent)
    events = ", ".join(f"{each.events:,.0f}" for each in silent)
    shortest = span_text(shortest_concluding(minimum, pace))
    everything = len(silent) == len(situation.scales)
    remedy = "every window will be inconclusive: add a longer scale" if everything else "drop what is shorter"
    yield Advice(
        about="windows.scales",
        problem=f"{names} can never conclude: {events} events in a window on average, {minimum:,} are needed",
        remedy=f"{remedy}; the shortest window that holds {minimum:,} at this traffic is {shortest}",
    )


def _saying_little(situation: Situation) -> Iterator[Advice]:
    critical = situation.prepared.drift.tiers.critical
    for plan in situation.concluding:
        column = plan.column(plan.typical)
        if not column.blunt or column.proven_from is None:
            continue
        needed = events_needed(
            situation.prepared, situation.comparison(plan, plan.typical), psi=critical, level=Tier.WARNING
        )
        seen = f"the typical column `{column.column}` proves a warning only from an observed PSI of"
        if needed is None:
            yield Advice(
                about="windows.scales",
                problem=(
                    f"at {plan.scale} an OK says little: {seen} {column.proven_from:.2f} on, whatever the traffic: "
                    "columns move so much by themselves, or the reference is too small"
                ),
                remedy="drop the scale, or take a longer reference or windows that hold a whole cycle of the columns",
            )
        else:
            yield Advice(
                about="windows.min_events",
                problem=(
                    f"at {plan.scale} an OK says little: {seen} {column.proven_from:.2f} on, with {plan.events:,.0f} "
                    "events in a window"
                ),
                remedy=(
                    f"drop the scale, or raise min_events to {needed:,}, so that windows too small to see a true PSI "
                    f"of {critical:g} (critical) are inconclusive instead of OK"
                ),
            )
