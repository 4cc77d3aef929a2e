"""Release histories through incidents and guard: `make bench-releases`; exits 1 if a version that is not worse goes."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.releases.generate import release_of
from benchmarks.releases.outcome import History, history_of, summary_of
from benchmarks.releases.page import PAGE, figures, with_figures
from benchmarks.releases.play import play

RESULT = Path(__file__).parents[1] / "results" / "releases.json"
PUBLISHED_SEED = 2026


def main() -> int:
    """Play, print, write; return 1 when a version that is not worse was rolled back."""
    parser = argparse.ArgumentParser(prog="make bench-releases", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=PUBLISHED_SEED)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="into benchmarks/results/ and docs/releases.md")
    arguments = parser.parse_args()
    began = time.monotonic()
    histories = list(played(arguments.histories, seed=arguments.seed, processes=arguments.processes))
    summary = summary_of(histories, seed=arguments.seed)
    print(figures(summary))
    print(f"{time.monotonic() - began:.0f} s in {arguments.processes} processes", file=sys.stderr)
    for index, history in enumerate(histories):
        if history.wrong and history.mode.needs_labels:
            print(f"not worse, rolled back: history {index}, {history.kind}", file=sys.stderr)
    if arguments.write:
        RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), summary), encoding="utf-8")
    return 1 if summary.wrong else 0


def played(histories: int, *, seed: int, processes: int = 1) -> Iterator[History]:
    """Return what came of the first *histories* of *seed*, in their order."""
    one = partial(_one, seed)
    if processes == 1:
        yield from map(one, range(histories))
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(one, range(histories), chunksize=50)


def _one(seed: int, index: int) -> History:
    return history_of(play(release_of(index, seed=seed)))


if __name__ == "__main__":
    sys.exit(main())
