"""Advice on the reference and on what shares the error probability: columns, segments, alpha."""

import math
from collections.abc import Iterator
from dataclasses import replace

from monitor.planning.advice_context import AdviceContext
from monitor.planning.power import events_needed
from monitor.planning.results import MONTHS_A_YEAR, Advice, ScalePlan
from monitor.reference.checks import BLOCKS_NEEDED
from monitor.types import Calibration, Tier
from monitor.units import DAY_MINUTES, MINUTE_MILLIS

PSI = 0.3
EVENTS_FACTOR = 1.1  # under a tenth more events are not worth a sentence
COLUMNS_ENOUGH = 20
FALSE_WARNINGS_A_YEAR = 1.0
"""What the default settings are made for: one false warning a model and year where nothing changes."""
ROWS_FACTOR, ROWS_GAIN = 1.5, 0.02  # of the PSI past the tier, with ten times the rows


def many_columns(situation: AdviceContext) -> Iterator[Advice]:
    """Yield advice about columns whose tests cost the others events."""
    columns = len(situation.scales[0].columns)
    if columns <= COLUMNS_ENOUGH:
        return
    if change := _change(situation, fewer_tests=columns / COLUMNS_ENOUGH):
        yield Advice(
            about="columns",
            problem=f"{columns} columns share alpha: a true PSI of {PSI:g} takes {change[0]:,} events to warn of",
            remedy=f"with the {COLUMNS_ENOUGH} that matter (`monitor: false` for the others) {change[1]:,} would do",
        )


def many_segments(situation: AdviceContext) -> Iterator[Advice]:
    """Yield advice about segments whose windows are too small, or whose tests cost the whole model events."""
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


def _change(situation: AdviceContext, *, fewer_tests: float) -> tuple[int, int] | None:
    """Return the events for a warning of `PSI` now and with a larger share of alpha, None where it hardly differs."""
    plan = next(iter(situation.concluding), situation.scales[-1])
    comparison = situation.comparison(plan, plan.typical)
    wider = replace(comparison, alpha=min(comparison.alpha * fewer_tests, situation.spec.drift.alpha))
    now = events_needed(situation.prepared, comparison, psi=PSI, level=Tier.WARNING)
    then = events_needed(situation.prepared, wider, psi=PSI, level=Tier.WARNING)
    if now is None or then is None or now < EVENTS_FACTOR * then:
        return None
    return now, then


def high_alpha(situation: AdviceContext) -> Iterator[Advice]:
    """Yield advice about an alpha that lets too much through."""
    expected = MONTHS_A_YEAR * situation.false_alarms.no_change
    if expected <= FALSE_WARNINGS_A_YEAR:
        return
    lower = situation.spec.drift.alpha * FALSE_WARNINGS_A_YEAR / expected
    yield Advice(
        about="drift.alpha",
        problem=f"{expected:.1f} false warnings a year are expected even where nothing changes: some columns wander",
        remedy=f"alpha {lower:.1g} makes it about {FALSE_WARNINGS_A_YEAR:g} and takes somewhat more events",
    )


def reference_time(situation: AdviceContext) -> Iterator[Advice]:
    """Yield advice about a reference whose time does not measure natural movement."""
    profile = situation.profile
    if profile.start is None or profile.end is None:
        yield Advice(
            about="reference",
            problem="it has no time stamps: the natural movement of columns is unknown, and a daily cycle alarms",
            remedy="`driftline init --timestamp COLUMN` learns it",
        )
        return
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # Blocks are aligned to multiples of their length, so the two at the ends may be cut.
    enough = {scale_plan.length: (BLOCKS_NEEDED + 1) * scale_plan.length for scale_plan in situation.concluding}
    unmeasured = [scale_plan for scale_plan in situation.concluding if _is_unmeasured(scale_plan)]
    short = [scale_plan for scale_plan in unmeasured if minutes < enough[scale_plan.length]]
    thin = [scale_plan for scale_plan in unmeasured if scale_plan not in short]
    if short:
        yield Advice(
            about="reference",
            problem=(
                f"{minutes / DAY_MINUTES:.1f} days are too short to measure natural movement at {_names(short)}"
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
                f"too few rows at a time to measure natural movement at {_names(thin)} ({_statuses(thin)}): "
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


def reference_rows(situation: AdviceContext) -> Iterator[Advice]:
    """Yield advice about a reference of too few rows for the longer windows."""
    tier = situation.prepared.drift.tiers.warning
    few: list[tuple[ScalePlan, float, float]] = []
    for plan in situation.concluding:
        comparison = situation.comparison(plan, plan.typical)
        n = comparison.values(plan.events)
        now = comparison.threshold_of_shift(tier, n)
        with_more = replace(comparison, m=10.0 * comparison.m, m_half=10.0 * comparison.m_half).threshold_of_shift(
            tier, n
        )
        gain = now - with_more
        if math.isfinite(now) and now - tier > ROWS_FACTOR * (with_more - tier) and gain > ROWS_GAIN:
            few.append((plan, now, with_more))
    if few:
        plan, now, with_more = few[-1]
        yield Advice(
            about="reference",
            problem=(
                f"{situation.profile.rows:,} rows limit what longer windows can prove: at {plan.scale} "
                f"`{plan.typical}` from a PSI of {now:.2f} on"
            ),
            remedy=f"ten times as many would prove it from {with_more:.2f} on",
        )
