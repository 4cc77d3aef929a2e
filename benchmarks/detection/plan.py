"""What is run: which streams, how long, how often, with which seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.detection.catalogue import change_recipes, over_again, quiet_recipes
from benchmarks.detection.recipe import Recipe

# The figures that are published come from seeds that nothing was ever tuned on.
BUILDING_SEEDS, PUBLISHED_SEEDS = range(1, 100_000), range(500_000, 600_000)
CLOSING = ("shift 1", "missing 5 %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run.

    Attributes:
        quiet_days, sparse_days: Length of each quiet stream, and of those of 3 events a minute.
        quiet_references, sparse_references, wide_references: How many of each, every one with a reference of its own;
            wide is the one with 200 columns.
        change_references, currents: References of each kind of change, and what comes after each of them.
        error_currents: As *currents*, of changed error rates: their delay is some 400 truths and known to the minute,
            so that the median of a few says little.
        closing: Changes that end are run too, for the time until an incident closes; no target is about it.
        peer_seeds: Streams of each kind on which all peers are run.
        peer_streams: Which kinds; None: all of them.
    """

    quiet_days: float
    quiet_references: int
    sparse_days: float
    sparse_references: int
    wide_references: int
    change_references: int
    currents: int
    error_currents: int
    closing: bool
    peer_seeds: int
    peer_streams: tuple[str, ...] | None = None
    peer_quiet_days: float = 0.5
    peer_sparse_days: float = 2.0


# 30,000 evaluations without an episode are what shows 0.1 per 1000 at 95 %: 2,270 a day, 86 where traffic is sparse.
FULL = Size(
    quiet_days=4.8,
    quiet_references=3,
    sparse_days=36.0,
    sparse_references=10,
    wide_references=3,
    change_references=2,
    currents=10,
    error_currents=20,
    closing=True,
    peer_seeds=1,
)
SHORT = Size(
    quiet_days=1.0,
    quiet_references=1,
    sparse_days=3.0,
    sparse_references=1,
    wide_references=1,
    change_references=1,
    currents=3,
    error_currents=7,
    closing=False,
    peer_seeds=1,
    peer_streams=("shift 1",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnJob:
    """One reference and the current parts that follow it, judged by Driftline."""

    recipe: Recipe
    reference_seed: int
    current_seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerJob:
    """One synthetic stream judged by Driftline and every peer; *time_reports*: it times whole Evidently reports too."""

    recipe: Recipe
    seed: int
    time_reports: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RealJob:
    """One real set judged by Driftline and every peer."""

    name: str


def own_jobs(size: Size, seeds: range) -> Iterator[OwnJob]:
    """Yield every job of Driftline alone, the longest first so that no core waits at the end."""
    changes = {recipe.name: recipe for recipe in change_recipes()}
    closing = [over_again(changes[name], hours=3.0, then_days=1.5) for name in CLOSING] if size.closing else []
    for recipe in closing:
        yield from _changing(recipe, size, seeds)
    for recipe in changes.values():
        if recipe.truths:  # judged minute by minute
            yield from _changing(recipe, size, seeds)
    for recipe in quiet_recipes(days=size.quiet_days, sparse_days=size.sparse_days):
        for number in range(_times(recipe, size)):
            yield OwnJob(recipe=recipe, reference_seed=seeds[number], current_seeds=(seeds[number],))
    for recipe in changes.values():
        if not recipe.truths:
            yield from _changing(recipe, size, seeds)


def _changing(recipe: Recipe, size: Size, seeds: range) -> Iterator[OwnJob]:
    count = size.error_currents if recipe.truths else size.currents
    for number in range(size.change_references):
        currents = tuple(seeds[number * count : (number + 1) * count])
        yield OwnJob(recipe=recipe, reference_seed=seeds[number], current_seeds=currents)


def _times(recipe: Recipe, size: Size) -> int:
    if not recipe.scales:
        return size.quiet_references
    return size.wide_references if recipe.columns > 100 else size.sparse_references


def peer_jobs(size: Size, seeds: range) -> Iterator[PeerJob]:
    """Yield every synthetic stream on which the peers are run."""
    quiet = quiet_recipes(days=size.peer_quiet_days, sparse_days=size.peer_sparse_days)
    for recipe in (*quiet, *change_recipes()):
        if recipe.truths or recipe.anytime or (size.peer_streams is not None and recipe.name not in size.peer_streams):
            continue  # errors with stable inputs are not seen by methods that look at inputs; anytime is ours alone
        for number in range(size.peer_seeds):
            timed = recipe.name == "shift 1" and number == 0
            yield PeerJob(recipe=recipe, seed=seeds[-1 - number], time_reports=timed)
