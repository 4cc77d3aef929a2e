"""Every kind of stream of the benchmark's table, by name."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.detection.columns import CATEGORY
from benchmarks.detection.movement import Movement
from benchmarks.detection.recipe import Happening, Recipe
from benchmarks.detection.stream import ChangeKind
from benchmarks.detection.traffic import Traffic

CYCLE = Movement(cycle=0.4)
DAILY_TRAFFIC = Traffic(ratio=10.0)
SPARSE = Traffic(per_minute=3.0)
SPARSE_SCALES = ((240, 20), (1440, 120), (10_080, 720))  # those of the default ones that hold 200 of these events
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
    yield Recipe(name="error rate 0.1 to 0.2", columns=5, truths=True, happening=errors, current_days=2.5 / 24)
