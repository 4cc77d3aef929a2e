"""One stream judged by Driftline, the textbook rule and every peer on the same windows."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.detection.episodes import Alarm, Episode, runs_of
from benchmarks.detection.judge import judge
from benchmarks.detection.judged import Judged, Rules
from benchmarks.detection.measures import ChangeResult, change_result_of
from benchmarks.detection.model import profile_of, spec_of
from benchmarks.detection.peer_run import read_alarms, run_peers, write_stream
from benchmarks.detection.plan import PeerJob, RealJob
from benchmarks.detection.real import REAL_SETS
from benchmarks.detection.recipe import make_stream
from benchmarks.detection.run import arrivals_of
from benchmarks.detection.stream import HOUR, MINUTE, Stream

OURS = "driftline, same windows"
AS_SHIPPED = "driftline, incidents"
TEXTBOOK_INCIDENTS = "textbook rule, incidents"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRun:
    """One method on one stream.

    Attributes:
        windows, alarming: Disjoint windows that it judged, and those in which it flagged a column.
        false_episodes: Episodes that nothing justifies.
        episodes: All; of incidents after the closing rule, else of runs of alarming windows.
        change_result: None where nothing changes, or nobody knows what did.
        cpu_seconds: Per judged window; None where it is part of another line.
    """

    method: str
    windows: int
    alarming: int
    false_episodes: int
    episodes: tuple[Episode, ...]
    change_result: ChangeResult | None
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One stream by every method; *window_minutes* long windows, *report_cpu_seconds* as of `PeerAnswer`."""

    stream: str
    seed: int
    window_minutes: int
    methods: tuple[MethodRun, ...]
    own_cpu_seconds: float | None
    report_cpu_seconds: tuple[float, ...]


def compared(job: PeerJob | RealJob) -> Compared:
    """Return *job*'s stream as judged by Driftline, by the textbook rule and by every peer."""
    if isinstance(job, RealJob):
        chosen = next(real_set for real_set in REAL_SETS if real_set.name == job.name)
        return _compared(chosen.read(), length=chosen.length, scales=chosen.scales, time_reports=False)
    stream = make_stream(job.recipe, reference_seed=job.seed, current_seed=job.seed)
    length = 4 * HOUR if job.recipe.scales else HOUR  # the shortest scale that holds enough events
    return _compared(stream, length=length, scales=job.recipe.scales, time_reports=job.time_reports)


def _compared(stream: Stream, *, length: int, scales: tuple[tuple[int, int], ...], time_reports: bool) -> Compared:
    minutes = length // MINUTE
    rules = _judged(stream, scales=scales, textbook=True)
    own, textbook = rules.default, rules.textbook
    assert textbook is not None
    directory = Path(mkdtemp(prefix="driftline-peers-"))
    try:
        ends = write_stream(stream, directory / "stream", length=length, time_reports=time_reports)
        run_peers(directory)
        answer = read_alarms(directory / "stream", ends)
    finally:
        shutil.rmtree(directory)
    methods = [
        _of_windows(stream, OURS, own.alarms.get(minutes, ()), cpu_seconds=own.cpu_seconds / max(own.evaluations, 1)),
        _of_incidents(stream, AS_SHIPPED, own, minutes=minutes),
        _of_incidents(stream, TEXTBOOK_INCIDENTS, textbook, minutes=minutes),
        *(_of_windows(stream, peer.peer, peer.alarms, cpu_seconds=peer.cpu_seconds) for peer in answer.judged),
    ]
    return Compared(
        stream=stream.name,
        seed=stream.seed,
        window_minutes=minutes,
        methods=tuple(methods),
        own_cpu_seconds=_own_cpu_seconds(stream, minutes) if time_reports else None,
        report_cpu_seconds=answer.report_cpu_seconds,
    )


def _judged(stream: Stream, *, scales: tuple[tuple[int, int], ...], textbook: bool = False) -> Rules:
    spec = spec_of(stream, scales=scales)
    return judge(spec, profile_of(stream, spec), stream, textbook=textbook)


def _own_cpu_seconds(stream: Stream, minutes: int) -> float:
    """Return the CPU of counting and judging one window of *minutes*, where no other scale shares the counting."""
    judged = _judged(stream, scales=((minutes, minutes // 2),)).default
    return judged.cpu_seconds / judged.evaluations


def _of_windows(stream: Stream, method: str, alarms: Sequence[Alarm], *, cpu_seconds: float) -> MethodRun:
    return _method(
        stream,
        method,
        # A peer has one kind of alarm: whatever it flags counts as the right one.
        runs_of(alarms, kind="drift" if stream.change is None else stream.change.kind.expected_incident),
        windows=len(alarms),
        alarming=sum(bool(alarm.columns) for alarm in alarms),
        cpu_seconds=cpu_seconds,
    )


def _of_incidents(stream: Stream, method: str, judged: Judged, *, minutes: int) -> MethodRun:
    alarms = judged.alarms.get(minutes, ())
    alarming = sum(bool(alarm.columns) for alarm in alarms)
    return _method(stream, method, judged.episodes, windows=len(alarms), alarming=alarming, cpu_seconds=None)


def _method(
    stream: Stream,
    method: str,
    episodes: tuple[Episode, ...],
    *,
    windows: int,
    alarming: int,
    cpu_seconds: float | None,
) -> MethodRun:
    change = stream.change
    before = [episode for episode in episodes if change is None or episode.opened <= change.start]
    return MethodRun(
        method=method,
        windows=windows,
        alarming=alarming,
        false_episodes=len(before),
        episodes=episodes,
        change_result=None if change is None else change_result_of(change, episodes, arrivals=arrivals_of(stream)),
        cpu_seconds=cpu_seconds,
    )
