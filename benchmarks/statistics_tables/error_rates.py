"""Tables of error rates, exact or simulated: how often a level is passed though nothing is past it."""

from functools import cache
from itertools import product

from benchmarks.accuracy_figures import dependence_note, dependence_rows
from benchmarks.figure_table import table
from benchmarks.long_window_figures import day_windows
from benchmarks.movement_figures import DAYS, DAYS_OF_MEMORY, HOURS, WANDERS, Wander, passing, passing_when_known
from benchmarks.psi_levels import psi_level_rows
from benchmarks.share_levels import N, share_level_rows
from benchmarks.statistics_tables.rounding import percent, times, two_digits


def few_blocks() -> str:
    """How often natural movement alone passes its level, and what the level is."""
    rows = []
    for name, wander in WANDERS:
        for blocks in HOURS if wander.memory > DAYS_OF_MEMORY else DAYS:
            results = [passing(wander, blocks=blocks, alpha=alpha) for alpha in (1e-4, 1e-5)]
            rows.append(
                (
                    name,
                    str(blocks),
                    *(f"{times(result.known)} → {times(result.estimated)}" for result in results),
                    f"{times(results[1].known_multiple)} → {times(results[1].multiple)}",
                )
            )
    return table(
        ("Column", "blocks", "rate at 0.0001", "rate at 0.00001", "level at 0.00001, in mean block PSIs"),
        rows,
        note="Left of the arrow kappa and its degrees of freedom are used as if they were known, right of it as\n"
        "estimates. Rates are in multiples of the nominal one.",
    )


def long_windows() -> str:
    """How often a day that only moves passes the level that hours and days of the reference give it."""
    memories = ((0.0, "none"), (6.0, "6 hours"), (24.0, "a day"), (72.0, "three days"))
    rows = []
    for memory, words in memories:
        for movement in (0.0, 0.1, 0.2, 0.5) if memory == 0.0 else (0.1, 0.2, 0.5):
            cells = []
            for days in (7, 28):
                result = day_windows(days=days, movement=movement, memory=memory, alpha=1e-5)
                cells += [times(result.by_days), times(result.lowest), times(result.level)]
            rows.append((words, f"{movement:g}", *cells))
    return table(
        (
            "Memory",
            "κ between hours",
            "7 days: by days",
            "the lower",
            "level",
            "28 days: by days",
            "the lower",
            "level",
        ),
        rows,
        note="Rates in multiples of the nominal 0.00001, by the level of the days alone and by the lower one of days\n"
        "and hours, which is used; that level, median, in mean PSIs of a day that does not move. Windows of a day,\n"
        "10 bins, one direction; κ in sampling variances of an hour.",
    )


def known_movement() -> str:
    """How often sampling and a movement that is known pass their level."""
    header = ("10 bins, 0.0001", "10 bins, 0.000001", "30 bins, 0.0001", "30 bins, 0.000001")
    rows = []
    for share, directions in product((0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8), (1, 4)):
        wanders = [Wander(bins=bins, movement=share, directions=directions) for bins in (10, 30)]
        rates = [two_digits(passing_when_known(wander, alpha=alpha)) for wander in wanders for alpha in (1e-4, 1e-6)]
        rows.append((percent(share), str(directions), *rates))
    return table(("Movement", "directions", *header), rows)


@cache
def share_levels() -> str:
    """How often a share exactly at its tolerance is proven to be past it."""
    return table(
        ("Share of the reference", "of rows", *(f"n = {n:,}" for n in N)),
        share_level_rows(),
        note="Multiples of alpha (0.00001 for one test), the larger of a rise and a fall.",
    )


@cache
def psi_levels() -> str:
    """How often an index exactly at its tier is proven to be past it."""
    return table(
        ("Column", "bins", *(f"n = {n:,}" for n in N)),
        psi_level_rows(),
        note="Multiples of alpha (0.00001 for one test) at the worst of the default tiers, 20,000 rows of reference.\n"
        "Left of the arrow by the index alone, right of it by both bounds.",
    )


@cache
def dependent_truths() -> str:
    """How rarely a fall is proven that is none, when truths depend on each other."""
    return table(
        ("Truths", "usual errors", "counted", "at the line, all counted", "at the line", "nothing changed"),
        dependence_rows(),
        note=dependence_note(),
    )
