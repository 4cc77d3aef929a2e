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
from benchmarks.detection.measures import Run
from benchmarks.detection.outcome import Outcome, write_outcome
from benchmarks.detection.page import write_page
from benchmarks.detection.plan import (
    BUILDING_SEEDS,
    FULL,
    PUBLISHED_SEEDS,
    SHORT,
    RealJob,
    own_jobs,
    peer_jobs,
)
from benchmarks.detection.real import REAL_SETS
from benchmarks.detection.work import Answer, Job, job_name, work

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "detection"
RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Run, print, write; return 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="make bench-detection", description=__doc__)
    parser.add_argument("--short", action="store_true", help="five minutes: fewer and shorter streams, one for peers")
    parser.add_argument(
        "--published",
        action="store_true",
        help="seeds that nothing was tuned on; writes benchmarks/results/ and docs/detection.md",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--resume", action="store_true", help="resume an interrupted run of the same code")
    parser.add_argument("--only", metavar="TEXT", help="only streams whose name holds TEXT")
    parser.add_argument("--without-peers", action="store_true", help="Driftline alone")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 140)
    if absent := [] if arguments.without_peers or (arguments.short and not arguments.published) else _absent():
        if arguments.published and not arguments.only:
            parser.error("; ".join(["a page has every real set", *absent]))
        console.print(*(f"Left out, {sentence}" for sentence in absent), sep="\n", style="yellow")
    jobs = _jobs(short=arguments.short, published=arguments.published, peers=not arguments.without_peers)
    if arguments.only:
        jobs = [job for job in jobs if arguments.only in job_name(job)]
    answers = work(jobs, processes=arguments.processes, console=console, kept=KEPT, resume=arguments.resume)
    outcome = _outcome(answers, short=arguments.short, published=arguments.published)
    _show(outcome, console)
    if arguments.published and not (arguments.only or arguments.without_peers):
        _write(outcome, console)
    return 1 if any(not target.met for target in outcome.reached) else 0


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
    if peers:
        # First, because a peer's stream takes the longest.
        jobs = [
            *(RealJob(name=chosen.name) for chosen in REAL_SETS if (published or not short) and not chosen.missing),
            *peer_jobs(size, seeds),
            *jobs,
        ]
    return jobs


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
    )


def _show(outcome: Outcome, console: Console) -> None:
    table = Table("stream", "measure", "must be at most", "measured", "95 % bound", "runs", "")
    for target in outcome.reached:
        bound = "" if target.bound is None else f"{target.bound:.3g}"
        verdict = "met" if target.met else "[red]MISSED[/red]"
        measured, limit = f"{target.measured:,.4g}", f"{target.limit:,g}"
        table.add_row(target.stream, target.measure, limit, measured, bound, str(target.runs), verdict)
    console.print(table)
    for timed in outcome.compared:
        if timed.own_cpu_seconds and timed.report_cpu_seconds:
            console.print(_cpu_sentence(timed, own=timed.own_cpu_seconds))


def _cpu_sentence(timed: Compared, *, own: float) -> str:
    evidently = sum(timed.report_cpu_seconds) / len(timed.report_cpu_seconds)
    scipy = next(method.cpu_seconds or 0.0 for method in timed.methods if method.method == "scipy KS, Bonferroni")
    return (
        f"CPU of one window of {timed.window_minutes} minutes: ours {own * 1e3:.1f} ms; Evidently's report "
        f"{evidently * 1e3:,.0f} ms ({evidently / own:,.0f} times); scipy's KS of every column {scipy * 1e3:,.0f} ms "
        f"({scipy / own:,.0f} times)"
    )


def _write(outcome: Outcome, console: Console) -> None:
    path = RESULTS / f"detection-{outcome.date}.json"
    write_outcome(outcome, path)
    page = write_page(outcome, ROOT)
    console.print(f"written to {path.relative_to(ROOT)} and {page.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
