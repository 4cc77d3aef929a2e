"""CPU of one window: of Driftline, of every peer, of a whole Evidently report; measured alone, on one stream."""

from dataclasses import dataclass

from benchmarks.detection.compare import judged_stream
from benchmarks.detection.jobs import TimingJob
from benchmarks.detection.peer_run import timed_peers
from benchmarks.detection.recipe import make_stream
from benchmarks.detection.stream import HOUR, MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of CPU per window of *window_minutes*.

    Attributes:
        own: Of counting and judging one window where no other scale shares the counting.
        reports: Of single whole Evidently reports.
        peers: By the peer's name, its fitting included.
    """

    stream: str
    window_minutes: int
    own: float
    reports: tuple[float, ...]
    peers: dict[str, float]

    @property
    def report(self) -> float:
        """Mean of the whole reports."""
        return sum(self.reports) / len(self.reports)


def timing(job: TimingJob) -> Timing:
    """Return the CPU of each method on *job*'s stream, in hourly windows."""
    stream = make_stream(job.recipe, reference_seed=job.seed, current_seed=job.seed)
    minutes = HOUR // MINUTE
    judged = judged_stream(stream, scales=((minutes, minutes // 2),)).default
    answer = timed_peers(stream, length=HOUR)
    return Timing(
        stream=stream.name,
        window_minutes=minutes,
        own=judged.cpu_seconds / judged.evaluations,
        reports=answer.report_cpu_seconds,
        peers={peer.peer: peer.cpu_seconds for peer in answer.judged},
    )
