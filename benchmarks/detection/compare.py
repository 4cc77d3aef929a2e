"""One stream judged by Driftline, the textbook rule and every peer on the same windows."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.detection.episodes import Alarm, Episode, runs_of
from benchmarks.detection.jobs import PeerJob, RealJob
from benchmarks.detection.judge import judge
from benchmarks.detection.judged import Judged, Rules
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.measures import ChangeResult, change_result_of
from benchmarks.detection.model import profile_of, spec_of
from benchmarks.detection.peer_run import peer_answer
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
    """

    method: str
    windows: int
    alarming: int
    false_episodes: int
    episodes: tuple[Episode, ...]
    change_result: ChangeResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One stream by every method, on windows of *window_minutes*."""

    stream: str
    seed: int
    window_minutes: int
    methods: tuple[MethodRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStream:
    """One stream that is compared, on disjoint windows of *length* ms; *scales* as of a recipe."""

    stream: Stream
    length: int
    scales: tuple[tuple[int, int], ...]


def stream_of(job: PeerJob | RealJob) -> ComparedStream:
    """Return the stream of *job* and the windows on which all methods are compared."""
    if isinstance(job, RealJob):
        chosen = next(real_set for real_set in REAL_SETS if real_set.name == job.name)
        return ComparedStream(stream=chosen.read(), length=chosen.length, scales=chosen.scales)
    stream = make_stream(job.recipe, reference_seed=job.seed, current_seed=job.seed)
    length = 4 * HOUR if job.recipe.scales else HOUR  # the shortest scale that holds enough events
    return ComparedStream(stream=stream, length=length, scales=job.recipe.scales)


def compared(job: PeerJob | RealJob, kept: KeptAnswers) -> Compared:
    """Return *job*'s stream as judged by Driftline, by the textbook rule and by every peer."""
    chosen = stream_of(job)
    stream, minutes = chosen.stream, chosen.length // MINUTE
    rules = judged_stream(stream, scales=chosen.scales, textbook=True)
    own, textbook = rules.default, rules.textbook
    assert textbook is not None
    answer = peer_answer(stream, length=chosen.length, kept=kept)
    methods = [
        _of_windows(stream, OURS, own.alarms.get(minutes, ())),
        _of_incidents(stream, AS_SHIPPED, own, minutes=minutes),
        _of_incidents(stream, TEXTBOOK_INCIDENTS, textbook, minutes=minutes),
        *(_of_windows(stream, peer.peer, peer.alarms) for peer in answer.judged),
    ]
    return Compared(stream=stream.name, seed=stream.seed, window_minutes=minutes, methods=tuple(methods))


def judged_stream(stream: Stream, *, scales: tuple[tuple[int, int], ...], textbook: bool = False) -> Rules:
    """Return how the default rule, and with *textbook* also the textbook rule, judges *stream*."""
    spec = spec_of(stream, scales=scales)
    return judge(spec, profile_of(stream, spec), stream, textbook=textbook)


def _of_windows(stream: Stream, method: str, alarms: Sequence[Alarm]) -> MethodRun:
    return _method(
        stream,
        method,
        # A peer has one kind of alarm: whatever it flags counts as the right one.
        runs_of(alarms, kind="drift" if stream.change is None else stream.change.kind.expected_incident),
        windows=len(alarms),
        alarming=sum(bool(alarm.columns) for alarm in alarms),
    )


def _of_incidents(stream: Stream, method: str, judged: Judged, *, minutes: int) -> MethodRun:
    alarms = judged.alarms.get(minutes, ())
    alarming = sum(bool(alarm.columns) for alarm in alarms)
    return _method(stream, method, judged.episodes, windows=len(alarms), alarming=alarming)


def _method(
    stream: Stream,
    method: str,
    episodes: tuple[Episode, ...],
    *,
    windows: int,
    alarming: int,
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
    )
