"""Every kind of stream of the benchmark's table, by name."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.detection.columns import CATEGORY
from benchmarks.detection.concept import Truths
from benchmarks.detection.movement import Movement
from benchmarks.detection.recipe import Happening, Recipe
from benchmarks.detection.stream import ChangeKind
from benchmarks.detection.traffic import Traffic

CYCLE = Movement(cycle=0.4)
DAILY_TRAFFIC = Traffic(ratio=10.0)
SPARSE = Traffic(per_minute=3.0)
SPARSE_SCALES = ((240, 20), (1440, 120), (10_080, 720))  # those of the default ones that hold 200 of these events
HOURLY = ((60, 5),)
LONG_SCALES = ((60, 5), (240, 20), (1440, 120), (10_080, 720))
FIELDS = ("normal", "normal", "lognormal", "poisson", CATEGORY)


def quiet_recipes(*, days: float, sparse_days: float) -> tuple[Recipe, ...]:
    """Return the kinds in which nothing happens, *days* long each; those of 3 events a minute *sparse_days*."""
    sparse = Recipe(name="sparse", traffic=SPARSE, scales=SPARSE_SCALES, current_days=sparse_days)
    return (
        Recipe(name="no change", current_days=days),
        Recipe(name="no change, anytime", anytime=True, current_days=days),
        Recipe(name="heavy tails", distributions=("lognormal", "pareto", "cauchy"), current_days=days),
        Recipe(name="ties and zeros", distributions=("zeros", "poisson", "rounded", "few"), current_days=days),
        replace(sparse, name="sparse, 50 columns", columns=50),
        replace(sparse, name="sparse, 200 columns", columns=200),
        Recipe(name="daily cycle", traffic=DAILY_TRAFFIC, movement=CYCLE, current_days=days),
        Recipe(name="wander 0.1", movement=Movement(wander=0.1), current_days=days),
        Recipe(name="wander 0.2", movement=Movement(wander=0.2), current_days=days),
    )


def change_recipes() -> tuple[Recipe, ...]:
    """Return the kinds in which something happens two to three hours after the reference's end."""
    return tuple(_changes())


def closing_recipes(*, columns: tuple[int, ...] = (20, 100, 200)) -> tuple[Recipe, ...]:
    """Return the kinds in which a change of 1 sigma is over after three hours, with few events in each hourly window.

    A day and more after its end is left for the incident to close in.
    """
    shift = Happening(kind=ChangeKind.SHIFT, size=1.0, lasting_hours=3.0)
    still, moving = Movement(), Movement(wander=0.2)
    return tuple(
        Recipe(
            name=f"over after 3 h, {events} events, {count} columns{', wander 0.2' if movement is moving else ''}",
            columns=count,
            traffic=Traffic(per_minute=events / 60),
            movement=movement,
            happening=shift,
            scales=HOURLY,
            current_days=31 / 24,
        )
        for movement in (still, moving)
        for events in (200, 300, 400)
        for count in columns
    )


def second_change_recipes() -> tuple[Recipe, ...]:
    """Return the kinds in which a second column changes 15 hours after a first one: when that is over, or still lasts.

    20 events a minute are 200 in the shortest window, and enough in an hour to prove 0.5 sigma.
    """
    first = Happening(kind=ChangeKind.SHIFT, size=1.0, lasting_hours=3.0)
    second = Happening(kind=ChangeKind.SHIFT, size=0.5, after_hours=15.0)
    after = Recipe(
        name="0.5 sigma after 1 sigma",
        traffic=Traffic(per_minute=20.0),
        happening=first,
        second=second,
        current_days=46 / 24,
    )
    return after, replace(
        after, name="0.5 sigma during 1 sigma", happening=replace(first, lasting_hours=None), current_days=43 / 24
    )


def burst_recipe() -> Recipe:
    """Return the kind in which three values in ten are missing for 45 minutes."""
    burst = Happening(kind=ChangeKind.MISSING, size=0.3, lasting_hours=0.75)
    return Recipe(name="missing for 45 minutes", distributions=FIELDS, happening=burst, current_days=14 / 24)


def long_memory_recipes(*, days: float) -> tuple[Recipe, ...]:
    """Return the quiet kinds whose columns wander with a memory of hours, by length of the reference.

    With scales of an hour and more: what wanders for hours is the same to shorter ones.
    """
    return tuple(
        Recipe(
            name=f"wander 0.2 over {'a day' if hours == 24 else f'{hours} h'}, {reference} day reference",
            traffic=Traffic(per_minute=4.0),
            movement=Movement(wander=0.2, memory_minutes=60.0 * hours),
            scales=LONG_SCALES,
            reference_days=float(reference),
            current_days=days,
        )
        for hours in (6, 24)
        for reference in (5, 7, 14, 28)
    )


def fall_recipes() -> tuple[Recipe, ...]:
    """Return the kinds in which the accuracy falls: at once, twice with a recovery between, and in twenty steps."""
    stairs = ((12.0, 0.86), *((6.0, 0.86 - 0.02 * step) for step in range(1, 21)))
    kinds = (
        ("accuracy to 0.009", ((12.0, 0.95), (24.0, 0.009))),
        ("accuracy to 0.01, 0.99, 0.015", ((24.0, 0.98), (12.0, 0.01), (48.0, 0.99), (12.0, 0.015))),
        ("accuracy in 20 steps to 0.46", stairs),
    )
    return tuple(
        Recipe(
            name=name,
            columns=5,
            traffic=Traffic(per_minute=20.0),
            truths=Truths(phases=phases),
            current_days=sum(hours for hours, _ in phases) / 24,
        )
        for name, phases in kinds
    )


def dependent_truth_recipes(*, days: float) -> tuple[Recipe, ...]:
    """Return the quiet kinds with truths: independent ones, and those whose errors of five minutes go together."""
    return tuple(
        Recipe(
            name="independent truths" if correlation == 0.0 else f"dependent truths, correlation {correlation:g}",
            columns=5,
            traffic=Traffic(per_minute=20.0),
            truths=Truths(correlation=correlation),
            current_days=days,
        )
        for correlation in (0.0, 0.02, 0.05)
    )


def over_again(recipe: Recipe, *, hours: float, then_days: float) -> Recipe:
    """Return *recipe* with a change that is over after *hours*, and time for the incident to close."""
    if recipe.happening is None:
        raise ValueError(f"{recipe.name}: expected a change, found none")
    happening = replace(recipe.happening, lasting_hours=hours)
    return replace(recipe, name=f"{recipe.name}, over after {hours:g} h", happening=happening, current_days=then_days)


def _changes() -> Iterator[Recipe]:
    for size, hours in ((0.3, 14), (0.5, 14), (0.7, 6), (1.0, 6)):
        shift = Happening(kind=ChangeKind.SHIFT, size=size)
        yield Recipe(name=f"shift {size:g}", happening=shift, current_days=hours / 24)
    anytime = Happening(kind=ChangeKind.SHIFT, size=1.0)
    yield Recipe(name="shift 1, anytime", anytime=True, happening=anytime, current_days=4 / 24)
    gradual = Happening(kind=ChangeKind.GRADUAL, size=0.7)
    yield Recipe(name="gradual 0.7", happening=gradual, current_days=10 / 24)
    for size, hours in ((0.5, 14), (1.0, 6)):
        shift = Happening(kind=ChangeKind.SHIFT, size=size)
        cycling = Recipe(name=f"shift {size:g} on daily cycle", happening=shift, any_hour=True, current_days=10 / 24)
        yield replace(cycling, traffic=DAILY_TRAFFIC, movement=CYCLE)
        wandering = Recipe(name=f"shift {size:g} on wander 0.2", happening=shift, current_days=hours / 24)
        yield replace(wandering, movement=Movement(wander=0.2))
    for name, kind, size in (
        ("missing 5 %", ChangeKind.MISSING, 0.05),
        ("new category 2 %", ChangeKind.NEW_CATEGORY, 0.02),
        ("new category 0.5 %", ChangeKind.NEW_CATEGORY, 0.005),
        ("unit change x100", ChangeKind.UNIT, 100.0),
        ("constant column", ChangeKind.CONSTANT, 0.0),
    ):
        fault = Happening(kind=kind, size=size)
        yield Recipe(name=name, distributions=FIELDS, happening=fault, current_days=6 / 24)
    errors = Happening(kind=ChangeKind.ERRORS, size=0.2, after_hours=1.0)
    yield Recipe(name="error rate 0.1 to 0.2", columns=5, truths=Truths(), happening=errors, current_days=2.5 / 24)
