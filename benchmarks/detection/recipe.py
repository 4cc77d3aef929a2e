"""A recipe and two seeds give a stream: traffic, columns, movement, a model's score, and a change of one column."""

import zlib
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from benchmarks.detection.columns import CATEGORY, DISTRIBUTIONS, draw_categories
from benchmarks.detection.concept import Truths, truth_columns
from benchmarks.detection.effects import changed_categories, changed_numbers, fits
from benchmarks.detection.movement import Movement
from benchmarks.detection.scoring import model_scores
from benchmarks.detection.stream import DAY, HOUR, MINUTE, SCORE, TIME, Change, ChangeKind, Stream, time_column
from benchmarks.detection.traffic import Traffic, minute_of
from monitor.arrays import Int64s

START = 1_780_272_000_000  # 2026-06-01T00:00:00Z, where every synthetic reference begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A change to come: *after_hours* of the current part, for *lasting_hours* (None: to the end).

    It comes up to an hour later, by chance: at no fixed place of a window.
    A second change's *after_hours* count from the end of the first one, or from its start where it never ends.
    """

    kind: ChangeKind
    size: float
    after_hours: float = 2.0
    lasting_hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a synthetic stream is made of.

    Attributes:
        columns: Number of feature columns.
        distributions: Of the columns in turn; names of `DISTRIBUTIONS`, or `CATEGORY`.
        any_hour: The current part begins at an hour chosen by chance, up to a day after the reference's end.
        second: A change of another column than that of *happening*.
        truths: The stream has labels and truths; None: neither.
        scales: Length and step in minutes of its windows; empty: the default ones.
        anytime: Its features have the optional rule.
    """

    name: str
    columns: int = 20
    distributions: tuple[str, ...] = ("normal",)
    traffic: Traffic = field(default_factory=Traffic)
    movement: Movement = field(default_factory=Movement)
    happening: Happening | None = None
    second: Happening | None = None
    reference_days: float = 7.0
    current_days: float = 14 / 24
    any_hour: bool = False
    truths: Truths | None = None
    scales: tuple[tuple[int, int], ...] = ()
    anytime: bool = False

    def distribution(self, column: int) -> str:
        """Return the distribution of column number *column*."""
        return self.distributions[column % len(self.distributions)]


def column_name(number: int) -> str:
    """Return c00, c01, ..."""
    return f"c{number:02d}"


def make_stream(recipe: Recipe, *, reference_seed: int, current_seed: int, reference: pa.Table | None = None) -> Stream:
    """Return the stream of *recipe*; equal seeds give equal streams, and equal references whatever came after them.

    Args:
        reference: Of another stream with the same recipe and *reference_seed*, where there is one already.
    """
    reference_stop = START + round(recipe.reference_days * DAY)
    if reference is None:
        reference = _table(recipe, _generator(recipe, "reference", reference_seed), start=START, stop=reference_stop)
    random = _generator(recipe, "current", reference_seed, current_seed)
    later = int(random.integers(DAY // MINUTE)) * MINUTE if recipe.any_hour else 0
    current_start = reference_stop + later
    first = _change(recipe, recipe.happening, random, current_start)
    second = None
    if first is not None and recipe.second is not None:
        begun = first.start if first.stop is None else first.stop
        second = _change(recipe, recipe.second, random, begun, other_than=first.columns)
    stop = current_start + round(recipe.current_days * DAY)
    changes = tuple(change for change in (first, second) if change is not None)
    return Stream(
        name=recipe.name,
        seed=current_seed,
        reference=reference,
        current=_table(recipe, random, start=current_start, stop=stop, changes=changes, arrives=True),
        change=first,
        second=second,
        falls=() if recipe.truths is None else recipe.truths.falls(start=current_start, stop=stop),
    )


def _generator(recipe: Recipe, part: str, *seeds: int) -> np.random.Generator:
    # Seeded by the name too, so that two kinds never share their noise.
    return np.random.default_rng([zlib.crc32(f"{recipe.name}/{part}".encode()), *seeds])


def _change(
    recipe: Recipe,
    planned: Happening | None,
    random: np.random.Generator,
    begun: int,
    *,
    other_than: tuple[str, ...] = (),
) -> Change | None:
    if planned is None:
        return None
    start = begun + round((planned.after_hours + random.random()) * HOUR)
    lasting = planned.lasting_hours
    stop = None if lasting is None else start + round(lasting * HOUR)
    change = Change(kind=planned.kind, columns=(), size=planned.size, start=start, stop=stop)
    if planned.kind is ChangeKind.ERRORS:
        return change
    possible = [
        number
        for number in range(recipe.columns)
        if fits(change, recipe.distribution(number)) and column_name(number) not in other_than
    ]
    name = column_name(int(random.choice(possible)))
    return Change(kind=planned.kind, columns=(name,), size=planned.size, start=start, stop=stop)


def _table(
    recipe: Recipe,
    random: np.random.Generator,
    *,
    start: int,
    stop: int,
    changes: tuple[Change, ...] = (),
    arrives: bool = False,
) -> pa.Table:
    minutes = (stop - start) // MINUTE
    times = recipe.traffic.times(start=start, minutes=minutes)
    arrays: dict[str, pa.Array] = {TIME: time_column(times)}
    for number in range(recipe.columns):
        name = column_name(number)
        own = next((change for change in changes if name in change.columns), None)
        arrays[name] = _column(recipe, random, number=number, times=times, start=start, minutes=minutes, change=own)
    made = [(recipe.distribution(number), arrays[column_name(number)]) for number in range(recipe.columns)]
    scores = model_scores(made)
    arrays[SCORE] = pa.array(scores)
    if recipe.truths is not None:
        first = changes[0] if changes else None
        arrays |= truth_columns(random, times, scores, truths=recipe.truths, start=start, change=first, arrives=arrives)
    return pa.table(arrays)


def _column(
    recipe: Recipe,
    random: np.random.Generator,
    *,
    number: int,
    times: Int64s,
    start: int,
    minutes: int,
    change: Change | None,
) -> pa.Array:
    distribution = recipe.distribution(number)
    if distribution == CATEGORY:
        return changed_categories(draw_categories(random, times.size), times, change, random)
    values = DISTRIBUTIONS[distribution](random, times.size)
    if not recipe.movement.is_still:
        means = recipe.movement.means(random, start=start, minutes=minutes).astype(np.float32)
        values += means[minute_of(times, start=start)]
    return pa.array(values) if change is None else changed_numbers(values, times, change, random)
