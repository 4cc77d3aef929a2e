"""Advice on scales and columns of a spec; and all advice in its order."""

import math
from collections.abc import Iterator

from monitor.humanize import span_text
from monitor.planning.advice_budget import high_alpha, many_columns, many_segments, reference_rows, reference_time
from monitor.planning.advice_context import AdviceContext
from monitor.planning.power import MOST_VALUES, events_needed
from monitor.planning.results import Advice, ColumnPlan, ScalePlan
from monitor.types import Tier
from monitor.units import DAY_MINUTES, HOUR_MINUTES

NAMED_AT_MOST = 5


def _shortest_concluding(min_events: int, events_per_minute: float) -> int:
    """Return a short window (minutes) that holds *min_events* on average: whole even minutes, hours or days."""
    minutes = min_events / events_per_minute
    unit = 2 if minutes <= 120 else HOUR_MINUTES if minutes <= 2 * DAY_MINUTES else DAY_MINUTES
    return max(2, unit * math.ceil(minutes / unit))


def _never_concluding(situation: AdviceContext) -> Iterator[Advice]:
    silent = [scale for scale in situation.scales if not scale.concludes]
    if not silent:
        return
    minimum, pace = situation.prepared.min_events, situation.traffic.events_per_minute
    names = ", ".join(scale_plan.scale for scale_plan in silent)
    events = ", ".join(f"{scale_plan.events:,.0f}" for scale_plan in silent)
    shortest = span_text(_shortest_concluding(minimum, pace))
    everything = len(silent) == len(situation.scales)
    remedy = "every window will be inconclusive: add a longer scale" if everything else "drop what is shorter"
    yield Advice(
        about="windows.scales",
        problem=f"{names} can never conclude: {events} events in a window on average, {minimum:,} are needed",
        remedy=f"{remedy}; the shortest window that holds {minimum:,} at this traffic is {shortest}",
    )


def _saying_little(situation: AdviceContext) -> Iterator[Advice]:
    critical = situation.prepared.drift.tiers.critical
    for plan in situation.concluding:
        column = plan.column(plan.typical)
        if not column.blunt or column.proven_from is None:
            continue
        little = (
            f"at {plan.scale} an OK says little: the typical column `{column.column}` proves a warning only from an "
            f"observed PSI of {column.proven_from:.2f} on"
        )
        comparison = situation.comparison(plan, plan.typical)
        needed = events_needed(situation.prepared, comparison, psi=critical, level=Tier.WARNING)
        if needed is None:
            yield Advice(
                about="windows.scales",
                problem=f"{little}, whatever the traffic: the natural movement of columns is so large, or the reference"
                " is too small",
                remedy="drop the scale, or take a longer reference or windows that hold a whole cycle of the columns",
            )
        else:
            yield Advice(
                about="windows.min_events",
                problem=f"{little}, with {plan.events:,.0f} events in a window",
                remedy=f"drop the scale, or raise min_events to {needed:,}, so that windows too small to see a true PSI"
                f" of {critical:g} (critical) are inconclusive instead of OK",
            )


def _of_one_bin(situation: AdviceContext) -> Iterator[Advice]:
    names = [column.column for column in situation.scales[0].columns if column.bins < 2]
    if names:
        yield Advice(
            about="columns",
            problem=f"PSI can prove nothing of {_named(names)}: a single bin, the reference hardly varies",
            remedy="only missing, invalid, unseen and far values are judged there; `monitor: false` if not even these",
        )


def _seldom_there(situation: AdviceContext) -> Iterator[Advice]:
    concluding = situation.concluding
    if not concluding:
        return
    longest = concluding[-1]
    rare = [column for column in longest.columns if not column.concludes]
    if rare:
        shown = [f"{column.column}` ({column.values:,.0f}" for column in rare]
        yield Advice(
            about="columns",
            problem=(
                f"too few values in even the longest window that concludes ({longest.scale}): "
                f"`{'), `'.join(shown[:NAMED_AT_MOST])}){_rest(shown)}; {situation.prepared.min_events:,} are needed"
            ),
            remedy="add a longer scale, or `monitor: false`; their missing and invalid values are judged all the same",
        )


def _blunt(situation: AdviceContext) -> Iterator[Advice]:
    """Columns that prove nothing under the critical tier at a scale where the typical column does."""
    blunt: dict[str, list[tuple[ScalePlan, ColumnPlan]]] = {}
    for plan in situation.concluding:
        if plan.column(plan.typical).blunt:
            continue  # the scale itself has its advice
        for column in plan.columns:
            if column.blunt and column.concludes and column.bins > 1:
                blunt.setdefault(column.column, []).append((plan, column))
    for name, places in list(blunt.items())[:NAMED_AT_MOST]:
        numbers = ", ".join(f"{column.proven_from:.2f} at {plan.scale}" for plan, column in places)
        by_nature = all(_hidden_by_movement(situation, *place) for place in places)
        why = "whatever the traffic: so large is its natural movement" if by_nature else "with so few events"
        yield Advice(
            about=f"columns.{name}",
            problem=f"its PSI is proven only from {numbers} on, {why}",
            remedy=_where_better(situation, name, by_nature=by_nature),
        )
    if len(blunt) > NAMED_AT_MOST:
        names = list(blunt)[NAMED_AT_MOST:]
        yield Advice(about="columns", problem=f"the same is true of {_named(names)}", remedy="see `--json` for each")


def _hidden_by_movement(situation: AdviceContext, plan: ScalePlan, column: ColumnPlan) -> bool:
    """Return whether not even endless traffic would prove a warning before PSI passed the critical tier."""
    tiers = situation.prepared.drift.tiers
    return situation.comparison(plan, column.column).threshold_of_shift(tiers.warning, MOST_VALUES) > tiers.critical


def _where_better(situation: AdviceContext, name: str, *, by_nature: bool) -> str:
    better = [
        f"{plan.column(name).proven_from:.2f} at {plan.scale}"
        for plan in situation.concluding
        if plan.column(name).concludes and not plan.column(name).blunt
    ]
    if better:
        return f"leave it to longer scales, where less is proven: from {', '.join(better)} on"
    more = "a longer reference shows how it moves at longer scales" if by_nature else "a longer scale holds more of it"
    return f"{more}; or `monitor: false`, which leaves alpha to the rest"


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:NAMED_AT_MOST]) + _rest(names)


def _rest(shown: list[str]) -> str:
    return f" and {len(shown) - NAMED_AT_MOST} more" if len(shown) > NAMED_AT_MOST else ""


def advice_of(situation: AdviceContext) -> tuple[Advice, ...]:
    """Return all advice, what matters most first; empty when there is nothing to improve."""
    checks = (_never_concluding, _saying_little, reference_time, reference_rows, _of_one_bin, _seldom_there, _blunt)
    budget = (many_columns, many_segments, high_alpha)
    return tuple(advice for check in (*checks, *budget) for advice in check(situation))
