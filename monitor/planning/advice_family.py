"""Advice about what shares alpha: columns and segments, and alpha itself."""

from collections.abc import Iterator
from dataclasses import replace

from monitor.planning.answers import Advice
from monitor.planning.scale_plan import events_needed
from monitor.planning.situation import Situation
from monitor.types import Tier

PSI = 0.3
WORTH_SAYING = 1.1
COLUMNS_ENOUGH = 20
FALSE_ALARMS_ACCEPTED = 1.0


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
    parts = max(len(each.values) + 1 for each in situation.spec.segments)
    silent = [each for each in situation.concluding if each.events / parts < situation.prepared.min_events]
    if silent:
        yield Advice(
            about="segments",
            problem=(
                f"an even one of {parts} values has too few events at {', '.join(each.scale for each in silent)} "
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
