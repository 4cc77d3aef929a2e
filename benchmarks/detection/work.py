"""Many jobs on several processes, their answers in the order of the jobs, each kept as soon as it is there."""

import logging
import multiprocessing
import multiprocessing.util
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

import structlog
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detection.compare import Compared, compared, stream_of
from benchmarks.detection.jobs import Job, OwnJob, PeersAloneJob, TimingJob, job_name
from benchmarks.detection.judge import close_database
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.measures import Run
from benchmarks.detection.peer_run import peer_answer, peers_digest
from benchmarks.detection.run import own_digest, own_runs
from benchmarks.detection.source_digest import source_digest
from benchmarks.detection.timing import Timing, timing

Answer = list[Run] | Compared | Timing | None
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def work(jobs: Sequence[Job], *, processes: int, console: Console, kept: KeptAnswers) -> list[Answer]:
    """Return what each job measured, in the order of *jobs*, however many processes worked.

    CPU is timed after everything else, one job after the other, since what runs next to it would be in its figures.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")  # the processes are the parallelism; read when numpy is imported there
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    answers: dict[int, Answer] = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("streams", total=len(jobs))
        alone = [number for number, job in enumerate(jobs) if isinstance(job, TimingJob)]
        others = [number for number in range(len(jobs)) if number not in alone]
        for numbers, at_once in ((others, processes), (alone, 1)):
            if not numbers:
                continue
            with _pool(at_once) as pool:
                waiting: dict[Future[Answer], int] = {
                    pool.submit(answer_of, jobs[number], kept): number for number in numbers
                }
                try:
                    for done in as_completed(waiting):
                        number = waiting[done]
                        answers[number] = done.result()
                        progress.update(task, advance=1, description=job_name(jobs[number]))
                        if not console.is_terminal:
                            console.print(f"{len(answers)} of {len(jobs)}: {job_name(jobs[number])}")
                except BaseException:
                    pool.shutdown(cancel_futures=True)  # what runs is waited for: each worker ends its Postgres
                    raise
    return [answers[number] for number in range(len(jobs))]


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # A spawned process ends by this, not by the interpreter's own end: its Postgres would be left behind.
    multiprocessing.util.Finalize(None, close_database, exitpriority=1)


def answer_of(job: Job, kept: KeptAnswers) -> Answer:
    """Return what *job* measured, as *kept* where it was measured before with the same sources."""
    match job:
        case OwnJob():
            return own_runs(job, kept)
        case PeersAloneJob():
            chosen = stream_of(job.job)
            peer_answer(chosen.stream, length=chosen.length, kept=kept)
            return None
        case TimingJob():
            return kept.answer(own_digest(), peers_digest(), repr(job), make=lambda: timing(job))
        case _:
            sources = source_digest("benchmarks.detection.compare")
            return kept.answer(own_digest(), sources, peers_digest(), repr(job), make=lambda: compared(job, kept))
