"""Many compared streams summed up by method: false alarms over all quiet kinds, recall and delay by kind of change."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.detection.compare import AS_SHIPPED, OURS, Compared, MethodRun
from benchmarks.detection.measures import Detection, detection_of


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietSum:
    """One method on quiet streams of one kind: windows judged, alarming ones, and episodes per 1000 windows."""

    method: str
    windows: int
    alarming: int
    episodes: int

    @property
    def alarming_share(self) -> float:
        """Share of windows in which something was flagged; 0 without windows."""
        return self.alarming / self.windows if self.windows else 0.0


def is_ours(method: str) -> bool:
    """Return whether *method* is Driftline's default rule."""
    return method in (OURS, AS_SHIPPED)


def methods_of(compared: Sequence[Compared]) -> tuple[str, ...]:
    """Return every method, in the order in which they were run."""
    return tuple(dict.fromkeys(run.method for comparison in compared for run in comparison.methods))


def streams_of(compared: Sequence[Compared], *, changing: bool) -> tuple[str, ...]:
    """Return the names of the streams in which something changes, or of those in which nothing does."""
    chosen = [stream for stream in compared if (stream.methods[0].change_result is not None) == changing]
    return tuple(dict.fromkeys(comparison.stream for comparison in chosen))


def quiet_sum(compared: Sequence[Compared], *, method: str) -> QuietSum:
    """Return what *method* did over all of *compared*."""
    runs = runs_by(compared, method=method)
    return QuietSum(
        method=method,
        windows=sum(run.windows for run in runs),
        alarming=sum(run.alarming for run in runs),
        episodes=sum(run.false_episodes for run in runs),
    )


def change_sum(compared: Sequence[Compared], *, method: str) -> Detection:
    """Return how *method* detected the changes of *compared*, all of one kind."""
    runs = runs_by(compared, method=method)
    return detection_of([run.change_result for run in runs if run.change_result is not None])


def runs_by(compared: Sequence[Compared], *, method: str) -> list[MethodRun]:
    """Return the runs of *method*."""
    return [run for comparison in compared for run in comparison.methods if run.method == method]


def of_stream(compared: Sequence[Compared], stream: str) -> list[Compared]:
    """Return those of *compared* that are of one kind of stream."""
    return [comparison for comparison in compared if comparison.stream == stream]
