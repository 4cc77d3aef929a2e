"""How the mean of a column moves although nothing happens: with the hour of the day, or at random with a memory."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from benchmarks.detection.stream import DAY, MINUTE
from monitor.arrays import Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Movement of the mean, in standard deviations of the column.

    Attributes:
        cycle: Half the distance between the highest and the lowest hour of the day.
        wander: Standard deviation of an Ornstein-Uhlenbeck process of the mean.
        memory_minutes: Lag at which the wander's correlation is 1/e.
    """

    cycle: float = 0.0
    wander: float = 0.0
    memory_minutes: float = 30.0

    @property
    def is_still(self) -> bool:
        """Whether the mean never moves."""
        return self.cycle == 0.0 and self.wander == 0.0

    def means(self, random: np.random.Generator, *, start: int, minutes: int) -> Float64s:
        """Return shape ``(minutes,)``: the mean in each minute from *start* (ms) on, the wander begun at random."""
        at = np.arange(minutes, dtype=np.int64) * MINUTE + start
        cycle = self.cycle * np.sin(2.0 * np.pi * (at % DAY) / DAY)
        if self.wander == 0.0:
            return cycle
        remembered = np.exp(-1.0 / self.memory_minutes)
        pushes = random.standard_normal(minutes) * self.wander * np.sqrt(1.0 - remembered**2)
        begun = random.standard_normal() * self.wander * remembered
        wander, _ = lfilter([1.0], [1.0, -remembered], pushes, zi=np.array([begun]))
        return cycle + wander
