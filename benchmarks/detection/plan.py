"""What is run: which streams, how long, how often, with which seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.detection.catalogue import (
    burst_recipe,
    change_recipes,
    closing_recipes,
    dependent_truth_recipes,
    fall_recipes,
    long_memory_recipes,
    over_again,
    quiet_recipes,
    second_change_recipes,
)
from benchmarks.detection.jobs import OwnJob, PeerJob, TimingJob
from benchmarks.detection.recipe import Recipe

# The figures that are published come from seeds that nothing was ever tuned on. Those from 500,000 and from 700,000 on
# were published on 2026-11-25 and in the night to 2026-11-27, and the rule has been changed since, because of them.
BUILDING_SEEDS, PUBLISHED_SEEDS = range(1, 100_000), range(800_000, 900_000)
CLOSING = ("shift 1", "missing 5 %")
RARE_CATEGORY = "new category 0.5 %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run.

    Attributes:
        quiet_days, sparse_days: Length of each quiet stream, and of those of 3 events a minute.
        quiet_references, sparse_references, wide_references: How many of each, every one with a reference of its own;
            wide is the one with 200 columns.
        change_references, currents: References of each kind of change, and what comes after each of them.
        spread_currents: As *currents*, of changed error rates and rare new categories: it takes few events that are
            rare, and their delay differs so much that the median of a few streams says little.
        closing: Changes that end at full traffic are run too, for the time until an incident closes; no target is
            about it.
        closing_columns, closing_runs: Changes that end with few events a window: numbers of columns, and runs of each.
        second_runs, burst_runs: Runs of second changes, of bursts of missing values.
        memory_days, memory_references: Length of each quiet stream with a memory of hours, and how many of each.
        fall_runs: Runs of each kind of falling accuracy.
        truth_days, truth_references: Length of each quiet stream with truths, and how many of each.
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
    spread_currents: int
    closing: bool
    closing_columns: tuple[int, ...]
    closing_runs: int
    second_runs: int
    burst_runs: int
    memory_days: float
    memory_references: int
    fall_runs: int
    truth_days: float
    truth_references: int
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
    spread_currents=20,
    closing=True,
    closing_columns=(20, 100, 200),
    closing_runs=8,
    second_runs=20,
    burst_runs=20,
    memory_days=20.0,
    memory_references=4,
    fall_runs=4,
    truth_days=10.0,
    truth_references=3,
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
    spread_currents=7,
    closing=False,
    closing_columns=(20,),
    closing_runs=2,
    second_runs=2,
    burst_runs=3,
    memory_days=4.0,
    memory_references=1,
    fall_runs=1,
    truth_days=2.0,
    truth_references=1,
    peer_seeds=1,
    peer_streams=("shift 1",),
)


def own_jobs(size: Size, seeds: range) -> Iterator[OwnJob]:
    """Yield every job of Driftline alone, the longest first so that no core waits at the end."""
    changes = {recipe.name: recipe for recipe in change_recipes()}
    closing = [over_again(changes[name], hours=3.0, then_days=1.5) for name in CLOSING] if size.closing else []
    for recipe in closing:
        yield from _changing(recipe, size, seeds)
    for recipe in changes.values():
        if recipe.truths is not None:  # judged minute by minute
            yield from _changing(recipe, size, seeds)
    for recipe in quiet_recipes(days=size.quiet_days, sparse_days=size.sparse_days):
        yield from _own_references(recipe, _times(recipe, size), seeds)
    yield from _further(size, seeds)
    for recipe in changes.values():
        if recipe.truths is None:
            yield from _changing(recipe, size, seeds)


def _further(size: Size, seeds: range) -> Iterator[OwnJob]:
    """Yield what follows an incident: its closing, what comes while it is open; and what is quiet for long."""
    for recipe in dependent_truth_recipes(days=size.truth_days):
        yield from _own_references(recipe, size.truth_references, seeds)
    for recipe in fall_recipes():
        yield from _own_references(recipe, size.fall_runs, seeds)
    for recipe in long_memory_recipes(days=size.memory_days):
        yield from _own_references(recipe, size.memory_references, seeds)
    for recipe in second_change_recipes():
        yield from _in_two(recipe, size.second_runs, seeds)
    for recipe in closing_recipes(columns=size.closing_columns):
        yield from _in_two(recipe, size.closing_runs, seeds)
    yield from _in_two(burst_recipe(), size.burst_runs, seeds)


def _own_references(recipe: Recipe, count: int, seeds: range) -> Iterator[OwnJob]:
    """Yield *count* streams, every one with a reference of its own."""
    for number in range(count):
        yield OwnJob(recipe=recipe, reference_seed=seeds[number], current_seeds=(seeds[number],))


def _in_two(recipe: Recipe, count: int, seeds: range) -> Iterator[OwnJob]:
    """Yield *count* streams, at least two, after two references."""
    half = count // 2
    for number, currents in enumerate((seeds[:half], seeds[half:count])):
        yield OwnJob(recipe=recipe, reference_seed=seeds[number], current_seeds=tuple(currents))


def _changing(recipe: Recipe, size: Size, seeds: range) -> Iterator[OwnJob]:
    count = size.spread_currents if recipe.truths is not None or recipe.name == RARE_CATEGORY else size.currents
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
        wanted = size.peer_streams is None or recipe.name in size.peer_streams
        if recipe.truths is not None or recipe.anytime or not wanted:
            continue  # errors with stable inputs are not seen by methods that look at inputs; anytime is ours alone
        for number in range(size.peer_seeds):
            yield PeerJob(recipe=recipe, seed=seeds[-1 - number])


def timing_job(seeds: range) -> TimingJob:
    """Return the stream on which CPU is timed."""
    recipe = next(recipe for recipe in change_recipes() if recipe.name == "shift 1")
    return TimingJob(recipe=recipe, seed=seeds[-1])
