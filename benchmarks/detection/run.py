"""One stream through Driftline: reference, backtest, and what became of its change."""

from functools import partial

import numpy as np
import pyarrow as pa

from benchmarks.detection.jobs import OwnJob
from benchmarks.detection.judge import judge
from benchmarks.detection.judged import Judged
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.measures import (
    Run,
    change_result_of,
    days_of,
    fall_result_of,
    false_alarms_of,
    second_result_of,
)
from benchmarks.detection.model import profile_of, spec_of
from benchmarks.detection.recipe import Recipe, make_stream
from benchmarks.detection.source_digest import source_digest
from benchmarks.detection.stream import TRUTH_TIME, Change, ChangeKind, Stream, times_of
from monitor.arrays import Int64s
from monitor.reference.profile import ReferenceProfile

NOT_IMPORTED = ("migrations/**/*.py", "requirements.lock")


def own_digest() -> str:
    """Return a digest of everything that Driftline's answer to a stream depends on: all that `own_runs` runs."""
    return source_digest("benchmarks.detection.run", also=NOT_IMPORTED)


def own_runs(job: OwnJob, kept: KeptAnswers) -> list[Run]:
    """Return one run for each current part of *job*, as *kept* where the same sources judged it before."""
    reference = _Reference(job.recipe, job.reference_seed)
    return [
        kept.answer(
            own_digest(),
            f"{job.recipe}, reference {job.reference_seed}, current {seed}",
            make=partial(reference.run, seed),
        )
        for seed in job.current_seeds
    ]


class _Reference:
    """One reference, built when the first current part after it has to be judged, and once."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._recipe = recipe
        self._seed = seed
        self._table: pa.Table | None = None
        self._profile: ReferenceProfile | None = None

    def run(self, current_seed: int) -> Run:
        recipe = self._recipe
        stream = make_stream(recipe, reference_seed=self._seed, current_seed=current_seed, reference=self._table)
        spec = spec_of(stream, scales=recipe.scales, anytime=recipe.anytime)
        if self._profile is None:
            self._table, self._profile = stream.reference, profile_of(stream, spec)
        return run_of(stream, judge(spec, self._profile, stream).default)


def run_of(stream: Stream, judged: Judged) -> Run:
    """Return the measures of *stream* as *judged*."""
    episodes, change, second = judged.episodes, stream.change, stream.second
    false_alarms = false_alarms_of(stream.quiet_until, episodes)
    # What a second change opens is no answer to the first, nor does it close with it.
    of_first = [episode for episode in episodes if second is None or episode.opened <= second.start]
    return Run(
        stream=stream.name,
        seed=stream.seed,
        evaluations=judged.evaluations,
        inconclusive=judged.inconclusive,
        days=days_of(times_of(stream.current)),
        false_alarms=false_alarms,
        false_alerts=sum(alarm.alerted is not None for alarm in false_alarms),
        rollbacks=sum(episode.rollbacks for episode in episodes),
        retrainings=sum(episode.retrainings for episode in episodes),
        messages=sum(len(episode.messages) for episode in episodes),
        change_result=None if change is None else change_result_of(change, of_first, arrivals=arrivals_of(stream)),
        second_result=None
        if second is None
        else second_result_of(second, episodes, arrivals=_events_since(stream, second)),
        fall_results=tuple(fall_result_of(fall, episodes) for fall in stream.falls),
        cpu_seconds=judged.cpu_seconds,
    )


def arrivals_of(stream: Stream) -> Int64s:
    """Return when each event since the change's start could be known (ms, increasing): itself, for errors its truth."""
    return np.empty(0, dtype=np.int64) if stream.change is None else _events_since(stream, stream.change)


def _events_since(stream: Stream, change: Change) -> Int64s:
    times = times_of(stream.current)
    known = times_of(stream.current, TRUTH_TIME) if change.kind is ChangeKind.ERRORS else times
    return np.sort(known[times >= change.start])
