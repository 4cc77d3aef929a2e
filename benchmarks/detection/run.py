"""One stream through Driftline: reference, backtest, and what became of its change."""

import numpy as np

from benchmarks.detection.judge import judge
from benchmarks.detection.judged import Judged
from benchmarks.detection.measures import Run, change_result_of, days_of, false_alarms_of
from benchmarks.detection.model import profile_of, spec_of
from benchmarks.detection.plan import OwnJob
from benchmarks.detection.recipe import make_stream
from benchmarks.detection.stream import TRUTH_TIME, ChangeKind, Stream, times_of
from monitor.arrays import Int64s


def own_runs(job: OwnJob) -> list[Run]:
    """Return one run for each current part of *job*; its reference is built once."""
    runs, reference, profile = [], None, None
    for seed in job.current_seeds:
        stream = make_stream(job.recipe, reference_seed=job.reference_seed, current_seed=seed, reference=reference)
        reference, spec = stream.reference, spec_of(stream, scales=job.recipe.scales, anytime=job.recipe.anytime)
        profile = profile_of(stream, spec) if profile is None else profile
        runs.append(run_of(stream, judge(spec, profile, stream).default))
    return runs


def run_of(stream: Stream, judged: Judged) -> Run:
    """Return the measures of *stream* as *judged*."""
    false_alarms = false_alarms_of(stream.change, judged.episodes)
    change, arrivals = stream.change, arrivals_of(stream)
    return Run(
        stream=stream.name,
        seed=stream.seed,
        evaluations=judged.evaluations,
        inconclusive=judged.inconclusive,
        days=days_of(times_of(stream.current)),
        false_alarms=false_alarms,
        false_alerts=sum(alarm.alerted is not None for alarm in false_alarms),
        rollbacks=sum(episode.rollbacks for episode in judged.episodes),
        retrainings=sum(episode.retrainings for episode in judged.episodes),
        change_result=None if change is None else change_result_of(change, judged.episodes, arrivals=arrivals),
        cpu_seconds=judged.cpu_seconds,
    )


def arrivals_of(stream: Stream) -> Int64s:
    """Return when each event since the change's start could be known (ms, increasing): itself, for errors its truth."""
    if stream.change is None:
        return np.empty(0, dtype=np.int64)
    times = times_of(stream.current)
    known = times_of(stream.current, TRUTH_TIME) if stream.change.kind is ChangeKind.ERRORS else times
    return np.sort(known[times >= stream.change.start])
