"""How one stream was judged: windows, incidents and alarms, by the default and by the textbook rule."""

from dataclasses import dataclass

from benchmarks.detection.episodes import Alarm, Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One stream judged by one rule through the backtest's path.

    Attributes:
        evaluations: Windows that could be judged, over all scales; *inconclusive* could not.
        episodes: Incidents after the closing rule, in order of opening.
        alarms: For each scale's length in minutes the judged windows, disjoint and aligned to the epoch: what a
            peer that looks at the same windows has to be compared with.
        cpu_seconds: Of judging, without building the reference.
    """

    evaluations: int
    inconclusive: int
    episodes: tuple[Episode, ...]
    alarms: dict[int, tuple[Alarm, ...]]
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One stream by the default rule, and by the textbook rule where that ran too, on the same counts."""

    default: Judged
    textbook: Judged | None = None
