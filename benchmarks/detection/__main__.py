"""The detection benchmark against the peers, in one run: `make bench-detection`."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.detection.compare import Compared
from benchmarks.detection.jobs import Job, PeerJob, PeersAloneJob, RealJob, job_name
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.measures import Run
from benchmarks.detection.outcome import Outcome, write_outcome
from benchmarks.detection.page import write_page
from benchmarks.detection.plan import (
    BUILDING_SEEDS,
    FULL,
    PUBLISHED_SEEDS,
    SHORT,
    own_jobs,
    peer_jobs,
    timing_job,
)
from benchmarks.detection.real import REAL_SETS
from benchmarks.detection.targets import FEW_RUNS
from benchmarks.detection.timing import Timing
from benchmarks.detection.work import Answer, work

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "detection-answers"
RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Run, print, write; return 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="make bench-detection", description=__doc__)
    parser.add_argument(
        "--short",
        action="store_true",
        help="five minutes: fewer and shorter streams, one for peers; a median of at most "
        f"{FEW_RUNS} streams passes within a quarter of its target",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="seeds that nothing was tuned on; writes benchmarks/results/ and docs/detection.md",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--kept",
        type=Path,
        default=KEPT,
        metavar="DIRECTORY",
        help="where each answer is kept and looked up by all that it depends on: an interrupted run resumes, and the "
        "peers are not run again because Driftline changed; an empty directory measures everything "
        "(default: .cache/detection-answers)",
    )
    parser.add_argument("--only", metavar="TEXT", help="only streams whose name holds TEXT")
    parser.add_argument("--without-peers", action="store_true", help="Driftline alone")
    parser.add_argument("--peers-alone", action="store_true", help="the peers alone, for a later run to find")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 140)
    if absent := [] if arguments.without_peers or (arguments.short and not arguments.published) else _absent():
        if arguments.published and not arguments.only:
            parser.error("; ".join(["a page has every real set", *absent]))
        console.print(*(f"Left out, {sentence}" for sentence in absent), sep="\n", style="yellow")
    jobs = _jobs(short=arguments.short, published=arguments.published, peers=not arguments.without_peers)
    if arguments.peers_alone:
        jobs = [PeersAloneJob(job=job) for job in jobs if isinstance(job, PeerJob | RealJob)]
    if arguments.only:
        jobs = [job for job in jobs if arguments.only in job_name(job)]
    answers = work(jobs, processes=arguments.processes, console=console, kept=KeptAnswers(arguments.kept))
    if arguments.peers_alone:
        return 0
    outcome = _outcome(answers, short=arguments.short, published=arguments.published)
    _show(outcome, console)
    if arguments.published and not (arguments.only or arguments.without_peers):
        _write(outcome, console)
    missed = [target for target in outcome.reached if not target.met]
    # The short run has 3 to 7 streams of a kind; whether a median near its target reaches it, the full run says.
    return 1 if any(not (arguments.short and target.is_near) for target in missed) else 0


def _absent() -> list[str]:
    return [
        f"{chosen.name}: expected {', '.join(str(path.relative_to(ROOT)) for path in chosen.missing)}, found none; "
        f"it comes from: {chosen.origin}"
        for chosen in REAL_SETS
        if chosen.missing
    ]


def _jobs(*, short: bool, published: bool, peers: bool) -> list[Job]:
    size, seeds = SHORT if short else FULL, PUBLISHED_SEEDS if published else BUILDING_SEEDS
    if published:
        size = replace(size, peer_streams=None)  # a page has every peer on every kind
    jobs: list[Job] = list(own_jobs(size, seeds))
    if not peers:
        return jobs
    real = (RealJob(name=chosen.name) for chosen in REAL_SETS if (published or not short) and not chosen.missing)
    # First, because a peer's stream takes the longest.
    return [*real, *peer_jobs(size, seeds), *jobs, timing_job(seeds)]


def _outcome(answers: Sequence[Answer], *, short: bool, published: bool) -> Outcome:
    runs: dict[str, list[Run]] = {}
    for answer in answers:
        if isinstance(answer, list):
            runs.setdefault(answer[0].stream, []).extend(answer)
    return Outcome(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        published=published,
        short=short,
        runs=runs,
        compared=[answer for answer in answers if isinstance(answer, Compared)],
        timing=next((answer for answer in answers if isinstance(answer, Timing)), None),
    )


def _show(outcome: Outcome, console: Console) -> None:
    table = Table("stream", "measure", "must be at most", "measured", "95 % bound", "runs", "")
    for target in outcome.reached:
        bound = "" if target.bound is None else f"{target.bound:.3g}"
        verdict = "met" if target.met else "[red]MISSED[/red]"
        measured, limit = f"{target.measured:,.4g}", f"{target.limit:,g}"
        table.add_row(target.stream, target.measure, limit, measured, bound, str(target.runs), verdict)
    console.print(table)
    if outcome.timing is not None:
        console.print(_cpu_sentence(outcome.timing))


def _cpu_sentence(timed: Timing) -> str:
    own, scipy = timed.own, timed.peers["scipy KS, Bonferroni"]
    return (
        f"CPU of one window of {timed.window_minutes} minutes: ours {own * 1e3:.1f} ms; Evidently's report "
        f"{timed.report * 1e3:,.0f} ms ({timed.report / own:,.0f} times); scipy's KS of every column "
        f"{scipy * 1e3:,.0f} ms ({scipy / own:,.0f} times)"
    )


def _write(outcome: Outcome, console: Console) -> None:
    path = RESULTS / f"detection-{outcome.date}.json"
    write_outcome(outcome, path)
    page = write_page(outcome, ROOT)
    console.print(f"written to {path.relative_to(ROOT)} and {page.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
