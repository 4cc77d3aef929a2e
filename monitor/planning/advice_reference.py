"""Advice about the reference: time stamps, its span, and its rows."""

import math
from collections.abc import Iterator
from dataclasses import replace

from monitor.planning.answers import Advice, ScalePlan
from monitor.planning.situation import Situation
from monitor.types import MINUTE_MILLIS

BLOCKS = 5
FEW_ROWS_FACTOR, WORTH_SAYING = 1.5, 0.02


def reference_advice(situation: Situation) -> Iterator[Advice]:
    """Yield advice about the reference."""
    yield from _time(situation)
    yield from _rows(situation)


def _time(situation: Situation) -> Iterator[Advice]:
    profile = situation.profile
    if profile.start is None or profile.end is None:
        yield Advice(
            about="reference",
            problem="it has no time stamps: how much columns move by themselves is unknown, and a daily cycle alarms",
            remedy="`driftline init --timestamp COLUMN` learns it",
        )
        return
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # Blocks are aligned to multiples of their length, so the two at the ends may be cut.
    enough = {each.length: (BLOCKS + 1) * each.length for each in situation.concluding}
    unmeasured = [each for each in situation.concluding if _is_unmeasured(each)]
    short = [each for each in unmeasured if minutes < enough[each.length]]
    thin = [each for each in unmeasured if each not in short]
    if short:
        yield Advice(
            about="reference",
            problem=(
                f"{minutes / 1440:.1f} days are too short to measure how columns move at {_names(short)}"
                f" ({_statuses(short)})"
            ),
            remedy=f"{math.ceil(enough[short[-1].length] / 1440)} days measure {short[-1].scale}; or drop the scale",
        )
    if thin:
        rows = profile.rows / minutes * thin[0].length
        yield Advice(
            about="reference",
            problem=(
                f"too few rows at a time to measure how columns move at {_names(thin)} ({_statuses(thin)}): "
                f"{rows:,.0f} rows in {thin[0].scale}, at least 50 values of a column are needed"
            ),
            remedy="take every row of a shorter time instead of a sample of a longer one",
        )


def _is_unmeasured(plan: ScalePlan) -> bool:
    return all(each.status != "measured" for each in plan.columns if each.bins > 1)


def _names(plans: list[ScalePlan]) -> str:
    return ", ".join(each.scale for each in plans)


def _statuses(plans: list[ScalePlan]) -> str:
    return " and ".join(sorted({column.status for each in plans for column in each.columns if column.bins > 1}))


def _rows(situation: Situation) -> Iterator[Advice]:
    tier = situation.prepared.drift.tiers.warning
    few: list[tuple[ScalePlan, float, float]] = []
    for plan in situation.concluding:
        comparison = situation.comparison(plan, plan.typical)
        n = comparison.values(plan.events)
        found = comparison.threshold(tier, n)
        with_more = replace(comparison, m=10.0 * comparison.m, m_half=10.0 * comparison.m_half).threshold(tier, n)
        gain = found - with_more
        if math.isfinite(found) and found - tier > FEW_ROWS_FACTOR * (with_more - tier) and gain > WORTH_SAYING:
            few.append((plan, found, with_more))
    if few:
        plan, found, with_more = few[-1]
        yield Advice(
            about="reference",
            problem=(
                f"{situation.profile.rows:,} rows limit what longer windows can prove: at {plan.scale} "
                f"`{plan.typical}` from a PSI of {found:.2f} on"
            ),
            remedy=f"ten times as many would prove it from {with_more:.2f} on",
        )
