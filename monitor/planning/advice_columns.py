"""Advice about columns: which can prove nothing, where, and whether more traffic would help."""

from collections.abc import Iterator

from monitor.planning.answers import Advice, ColumnPlan, ScalePlan
from monitor.planning.power import MOST_VALUES
from monitor.planning.situation import Situation

NAMED_AT_MOST = 5


def column_advice(situation: Situation) -> Iterator[Advice]:
    """Yield advice about judged columns."""
    yield from _of_one_bin(situation)
    yield from _seldom_there(situation)
    yield from _blunt(situation)


def _of_one_bin(situation: Situation) -> Iterator[Advice]:
    names = [each.column for each in situation.scales[0].columns if each.bins < 2]
    if names:
        yield Advice(
            about="columns",
            problem=f"PSI can prove nothing of {_named(names)}: a single bin, the reference hardly varies",
            remedy="only missing, invalid, unseen and far values are judged there; `monitor: false` if not even these",
        )


def _seldom_there(situation: Situation) -> Iterator[Advice]:
    concluding = situation.concluding
    if not concluding:
        return
    longest = concluding[-1]
    rare = [each for each in longest.columns if not each.concludes]
    if rare:
        shown = [f"{each.column}` ({each.values:,.0f}" for each in rare]
        yield Advice(
            about="columns",
            problem=(
                f"too few values in even the longest window that concludes ({longest.scale}): "
                f"`{'), `'.join(shown[:NAMED_AT_MOST])}){_rest(shown)}; {situation.prepared.min_events:,} are needed"
            ),
            remedy="add a longer scale, or `monitor: false`; their missing and invalid values are judged all the same",
        )


def _blunt(situation: Situation) -> Iterator[Advice]:
    """Columns that prove nothing under the critical tier at a scale where the typical column does."""
    blunt: dict[str, list[tuple[ScalePlan, ColumnPlan]]] = {}
    for plan in situation.concluding:
        if plan.column(plan.typical).blunt:
            continue  # the scale itself is told about
        for column in plan.columns:
            if column.blunt and column.concludes and column.bins > 1:
                blunt.setdefault(column.column, []).append((plan, column))
    for name, found in list(blunt.items())[:NAMED_AT_MOST]:
        numbers = ", ".join(f"{column.proven_from:.2f} at {plan.scale}" for plan, column in found)
        by_nature = all(_threshold_at_most_values(situation, *each) > _critical(situation) for each in found)
        why = "whatever the traffic, for it moves so much by itself" if by_nature else "with so few events"
        yield Advice(
            about=f"columns.{name}",
            problem=f"its PSI is proven only from {numbers} on, {why}",
            remedy=_where_better(situation, name, by_nature=by_nature),
        )
    if len(blunt) > NAMED_AT_MOST:
        names = list(blunt)[NAMED_AT_MOST:]
        yield Advice(about="columns", problem=f"the same is true of {_named(names)}", remedy="see `--json` for each")


def _critical(situation: Situation) -> float:
    return situation.prepared.drift.tiers.critical


def _threshold_at_most_values(situation: Situation, plan: ScalePlan, column: ColumnPlan) -> float:
    comparison = situation.comparison(plan, column.column)
    return comparison.threshold(situation.prepared.drift.tiers.warning, MOST_VALUES)


def _where_better(situation: Situation, name: str, *, by_nature: bool) -> str:
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
    return ", ".join(f"`{each}`" for each in names[:NAMED_AT_MOST]) + _rest(names)


def _rest(shown: list[str]) -> str:
    return f" and {len(shown) - NAMED_AT_MOST} more" if len(shown) > NAMED_AT_MOST else ""
