"""Which columns follow the hour, and how much they move when they are compared with the same hours."""

from dataclasses import dataclass

import msgspec
import numpy as np

from monitor.arrays import AnyIntegers, Indices, Int64s
from monitor.reference.movement import TimeBlocks, grouped_blocks, movements_by_length
from monitor.reference.profile import ColumnMovement, ColumnReference
from monitor.season_clock import SeasonClock
from monitor.stats.natural_movement import HourlyBlocks, NaturalMovement, seasonal_movement
from monitor.types import Calibration, Season
from monitor.units import DAY_MILLIS, HOUR_MINUTES

DAYS_AT_LEAST = {Season.HOUR_OF_DAY: 5, Season.HOUR_OF_WEEK: 14}
HOUR_COUNTS_AT_MOST = 1 << 24  # 64 MiB of uint32: a profile must fit in memory, however wide it is
DECIDING_LENGTH_AT_MOST = 12 * HOUR_MINUTES  # in a longer window a daily cycle averages out
EXPLAINED = 0.5
AGAINST_SAMPLING = 0.5


@dataclass(frozen=True, slots=True)
class SeasonHours:
    """Each row's hour of the season, shape ``(rows,)``."""

    clock: SeasonClock
    of_row: Indices


def season_hours(times: Int64s, *, clock: SeasonClock | None, block_minutes: int, counts: int) -> SeasonHours | None:
    """Return the hours of *times* (ms), None where hour profiles cannot be had or say nothing.

    They need 5 days of rows for the hours of the day, 14 for those of the week, time blocks that lie inside an hour,
    and room: *counts* numbers per hour.
    """
    if clock is None or HOUR_MINUTES % block_minutes or clock.season.hours * counts > HOUR_COUNTS_AT_MOST:
        return None
    if len(np.unique(times // DAY_MILLIS)) < DAYS_AT_LEAST[clock.season]:
        return None
    return SeasonHours(clock, clock.hours(times))


def with_season(
    reference: ColumnReference,
    *,
    bin_counts: AnyIntegers,
    blocks: TimeBlocks,
    lengths: tuple[int, ...],
    clock: SeasonClock,
) -> ColumnReference:
    """Return *reference* with its movement against the mixture of hours, and whether it follows them.

    Args:
        bin_counts: Shape ``(blocks, B)``. The column's PSI bins per time block.
    """
    hours = clock.hours(np.array(blocks.starts, dtype=np.int64))

    def measured(length: int) -> NaturalMovement | None:
        return seasonal_movement(_hourly_blocks(bin_counts, hours, blocks, length=length), profiles=clock.season.hours)

    seasonal = movements_by_length(lengths, bins=bin_counts.shape[1], measured=measured)
    events_per_minute = float(bin_counts.sum()) / (len(blocks.starts) * blocks.minutes)
    follows = follows_season(reference.movement, seasonal, events_per_minute=events_per_minute)
    return msgspec.structs.replace(reference, seasonal=follows, seasonal_movement=seasonal)


def follows_season(
    plain: dict[int, ColumnMovement], seasonal: dict[int, ColumnMovement], *, events_per_minute: float
) -> bool:
    """Return whether the hours explain how a column moves (statistics §3.6).

    Judged at the longest measured length up to half a day, where a daily cycle shows most and other wander least: the
    hours must leave under half of kappa, and what they explain must matter compared with the sampling variance.
    """
    measured = [
        length
        for length, movement in plain.items()
        if length <= DECIDING_LENGTH_AT_MOST
        and movement.status is Calibration.MEASURED
        and seasonal.get(length, movement).status is Calibration.MEASURED
        and length in seasonal
    ]
    if not measured:
        return False
    length = max(measured)
    before, after = plain[length].kappa, seasonal[length].kappa
    sampling = 1.0 / max(events_per_minute * length, 1.0)
    return after < EXPLAINED * before and before - after > AGAINST_SAMPLING * sampling


def _hourly_blocks(bin_counts: AnyIntegers, hours: Indices, blocks: TimeBlocks, *, length: int) -> HourlyBlocks:
    events = bin_counts.sum(axis=1)
    grouped = grouped_blocks(events, starts=blocks.starts, block_minutes=blocks.minutes, length=length)
    of_block, of_hour = grouped.owners, hours[grouped.kept]
    pairs, firsts = np.unique(np.stack([of_block, of_hour]), axis=1, return_inverse=True)
    counts = np.zeros((pairs.shape[1], bin_counts.shape[1]), dtype=np.int64)
    np.add.at(counts, firsts.reshape(-1), bin_counts[grouped.kept])
    return HourlyBlocks(blocks=pairs[0].astype(np.intp), hours=pairs[1].astype(np.intp), counts=counts)
