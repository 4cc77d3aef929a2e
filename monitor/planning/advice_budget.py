"""What to change in a spec: the budget of false alarms, the reference."""

import math
from collections.abc import Iterator
from dataclasses import replace

from monitor.planning.power import events_needed
from monitor.planning.results import Advice, ScalePlan
from monitor.planning.situation import Situation
from monitor.types import Calibration, Tier
from monitor.units import DAY_MINUTES, MINUTE_MILLIS

PSI = 0.3
WORTH_SAYING = 1.1
COLUMNS_ENOUGH = 20
FALSE_ALARMS_ACCEPTED = 1.0

BLOCKS = 5
FEW_ROWS_FACTOR, WORTH_SAYING = 1.5, 0.02


def family_advice(situation: Situation) -> Iterator[Advice]:
    """Yield advice about the number of columns and segments and about `drift.alpha`."""
    yield from _many_columns(situation)
    yield from _segments(situation)
    yield from _alpha(situation)


def _many_columns(situation: Situation) -> Iterator[Advice]:
    columns = len(situation.scales[0].columns)
    if columns <= COLUMNS_ENOUGH:
        return
    if change := _change(situation, fewer_tests=columns / COLUMNS_ENOUGH):
        yield Advice(
            about="columns",
            problem=f"{columns} columns share alpha: a true PSI of {PSI:g} takes {change[0]:,} events to warn of",
            remedy=f"with the {COLUMNS_ENOUGH} that matter (`monitor: false` for the others) {change[1]:,} would do",
        )


def _segments(situation: Situation) -> Iterator[Advice]:
    segments = situation.prepared.family.segments
    if segments == 1:
        return
    parts = max(len(segment.values) + 1 for segment in situation.spec.segments)
    silent = [plan for plan in situation.concluding if plan.events / parts < situation.prepared.min_events]
    if silent:
        yield Advice(
            about="segments",
            problem=(
                f"an even one of {parts} values has too few events at {', '.join(plan.scale for plan in silent)} "
                f"({silent[-1].events / parts:,.0f} in a window)"
            ),
            remedy="longer scales, or fewer values: the rest is counted as `other`",
        )
    if change := _change(situation, fewer_tests=segments):
        yield Advice(
            about="segments",
            problem=f"{segments} series share alpha: a true PSI of {PSI:g} takes {change[0]:,} events to warn of",
            remedy=f"without segments, which are shown but raise no incident, {change[1]:,} would do",
        )


def _change(situation: Situation, *, fewer_tests: float) -> tuple[int, int] | None:
    """Return the events for a warning of `PSI` now and with a larger share of alpha, None where it hardly differs."""
    plan = next(iter(situation.concluding), situation.scales[-1])
    comparison = situation.comparison(plan, plan.typical)
    wider = replace(comparison, alpha=min(comparison.alpha * fewer_tests, situation.spec.drift.alpha))
    now = events_needed(situation.prepared, comparison, psi=PSI, level=Tier.WARNING)
    then = events_needed(situation.prepared, wider, psi=PSI, level=Tier.WARNING)
    if now is None or then is None or now < WORTH_SAYING * then:
        return None
    return now, then


def _alpha(situation: Situation) -> Iterator[Advice]:
    expected = situation.false_alarms.no_change
    if expected <= FALSE_ALARMS_ACCEPTED:
        return
    lower = situation.spec.drift.alpha * FALSE_ALARMS_ACCEPTED / expected
    yield Advice(
        about="drift.alpha",
        problem=f"{expected:.1f} false warnings a month are expected even where nothing changes: some columns wander",
        remedy=f"alpha {lower:.1g} makes them about {FALSE_ALARMS_ACCEPTED:g} and takes somewhat more events",
    )


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
    enough = {scale_plan.length: (BLOCKS + 1) * scale_plan.length for scale_plan in situation.concluding}
    unmeasured = [scale_plan for scale_plan in situation.concluding if _is_unmeasured(scale_plan)]
    short = [scale_plan for scale_plan in unmeasured if minutes < enough[scale_plan.length]]
    thin = [scale_plan for scale_plan in unmeasured if scale_plan not in short]
    if short:
        yield Advice(
            about="reference",
            problem=(
                f"{minutes / DAY_MINUTES:.1f} days are too short to measure how columns move at {_names(short)}"
                f" ({_statuses(short)})"
            ),
            remedy=f"{math.ceil(enough[short[-1].length] / DAY_MINUTES)} days measure {short[-1].scale};"
            " or drop the scale",
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
    return all(column.status is not Calibration.MEASURED for column in plan.columns if column.bins > 1)


def _names(plans: list[ScalePlan]) -> str:
    return ", ".join(plan.scale for plan in plans)


def _statuses(plans: list[ScalePlan]) -> str:
    return " and ".join(sorted({column.status for plan in plans for column in plan.columns if column.bins > 1}))


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
