"""Tables of error rates, exact or simulated: how often a level is passed though nothing is past it."""

from functools import cache
from itertools import product

from benchmarks.accuracy_figures import dependence_note, dependence_rows
from benchmarks.figure_table import table
from benchmarks.long_window_figures import windows_of
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
    """How often a window that only moves passes the level that the reference's blocks of every length give it."""
    memories = ((0.0, "none", (0.0, 0.3)), (6.0, "6 hours", (0.3, 1.0)), (24.0, "a day", (0.1, 0.3, 1.0)))
    rows = []
    for memory, words, movements in (*memories, (72.0, "three days", (0.3, 1.0))):
        for movement, days in product(movements, (7, 28)):
            results = windows_of((1, 4, 24), days=days, movement=movement, memory=memory, alpha=1e-5)
            rates = [f"{times(result.each_by_itself)} → {times(result.together)}" for result in results]
            levels = [times(result.level) for result in results]
            rows.append((words, f"{movement:g}", str(days), *rates, *levels))
    lengths = ("an hour", "four hours", "a day")
    return table(
        ("Memory", "κ between hours", "days", *lengths, *(f"level of {length}" for length in lengths)),
        rows,
        note="Rates of windows of three lengths in multiples of the nominal 0.00001: left of the arrow each length's\n"
        "memory is taken from its own blocks, right of it as it is used. Levels are the medians of that, in mean PSIs\n"
        "of a window that does not move. 10 bins, one direction; κ in sampling variances of an hour.",
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
