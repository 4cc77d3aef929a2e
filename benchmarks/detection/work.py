"""Many jobs on several processes, their answers in the order of the jobs, each kept as soon as it is there."""

import hashlib
import logging
import multiprocessing
import multiprocessing.util
import os
import pickle
import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detection.compare import Compared, compared
from benchmarks.detection.judge import close_database
from benchmarks.detection.measures import Run
from benchmarks.detection.plan import OwnJob, PeerJob, RealJob
from benchmarks.detection.run import own_runs

Job = OwnJob | PeerJob | RealJob
Answer = list[Run] | Compared
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def job_name(job: Job) -> str:
    """Return the name of the job's stream."""
    return job.name if isinstance(job, RealJob) else job.recipe.name


def work(jobs: Sequence[Job], *, processes: int, console: Console, kept: Path, resume: bool) -> list[Answer]:
    """Return what each job found, in the order of *jobs*, however many processes worked.

    Args:
        kept: Directory for the answers, so that an interrupted run can be resumed.
        resume: Take what is there from an earlier run; it must have been of the same code.
    """
    if not resume:
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    for name in THREADS:
        os.environ.setdefault(name, "1")  # the processes are the parallelism; read when numpy is imported there
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    paths = [kept / f"{hashlib.sha256(repr(job).encode()).hexdigest()}.pickle" for job in jobs]
    answers: dict[int, Answer] = {n: pickle.loads(path.read_bytes()) for n, path in enumerate(paths) if path.exists()}
    with Progress(*columns, console=console) as progress, _pool(processes) as pool:
        task = progress.add_task("streams", total=len(jobs), completed=len(answers))
        todo = [number for number in range(len(jobs)) if number not in answers]
        waiting: dict[Future[Answer], int] = {pool.submit(answer_of, jobs[number]): number for number in todo}
        try:
            for done in as_completed(waiting):
                number = waiting[done]
                answers[number] = done.result()
                paths[number].write_bytes(pickle.dumps(answers[number]))
                progress.update(task, advance=1, description=job_name(jobs[number]))
                if not console.is_terminal:
                    console.print(f"{len(answers)} of {len(jobs)}: {job_name(jobs[number])}")
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what runs is waited for: each worker ends its Postgres at its end
            raise
    return [answers[number] for number in range(len(jobs))]


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # A spawned process ends by this, not by the interpreter's own end: its Postgres would be left behind.
    multiprocessing.util.Finalize(None, close_database, exitpriority=1)


def answer_of(job: Job) -> Answer:
    """Return what *job* found."""
    return own_runs(job) if isinstance(job, OwnJob) else compared(job)
