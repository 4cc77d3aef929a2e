"""How long `driftline backtest` takes for a million rows of 20 columns on one core, and how much memory.

python -m benchmarks.backtest [--rows 1000000] [--truths] [--no-textbook]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.clock import monotonic_seconds

START, PER_MINUTE, REFERENCE_ROWS = 1_780_272_000_000, 100, 1_000_000
NUMERIC, CATEGORICAL = 16, 4


def drawn(rows: int, *, seed: int, start: int) -> pa.Table:
    """Return *rows* of 20 features and a score, 100 a minute; one column shifts by 0.9 sigma for a while."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {
        "at": pa.array(start + np.arange(rows) * (60_000 // PER_MINUTE), pa.timestamp("ms", tz="UTC")),
        "id": np.arange(rows) + start,
    }
    for number in range(NUMERIC):
        values = random.normal(size=rows) if number % 4 else random.lognormal(size=rows)
        if number == 3:
            values[rows // 2 : rows // 2 + rows // 10] += 0.9
        columns[f"x{number:02d}"] = values
    for number in range(CATEGORICAL):
        weights = 1 / np.arange(1, 6 * (number + 1))
        names = [f"c{index}" for index in range(len(weights))]
        columns[f"cat{number}"] = random.choice(names, rows, p=weights / weights.sum())
    score = random.beta(2, 5, rows)
    return pa.table(columns | {"score": score, "y": (random.random(rows) < score).astype(int)})


def measure(directory: Path, *, rows: int, truths: bool, textbook: bool) -> dict[str, float]:
    """Return wall and CPU seconds of the command on one core with its Postgres, and its peak memory in MiB."""
    span = REFERENCE_ROWS * 60_000 // PER_MINUTE
    pq.write_table(drawn(REFERENCE_ROWS, seed=1, start=START - span), directory / "reference.parquet")
    pq.write_table(drawn(rows, seed=2, start=START), directory / "history.parquet")
    names = ["--score", "score", "--truth", "y", "--id", "id", "--timestamp", "at"]
    _driftline(directory, "init", "--reference", "reference.parquet", "--model", "fraud", *names)
    options = ["--id", "id", "--truth", "y", "--truth-delay", "6h"] if truths else []
    options += [] if textbook else ["--no-textbook"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), monotonic_seconds()
    _driftline(directory, "backtest", "fraud.yaml", "--data", "history.parquet", *options, one_core=True)
    wall, after = monotonic_seconds() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads((directory / "fraud.backtest.json").read_text())
    return {
        "rows": rows,
        "windows": sum(scale["windows"] for scale in report["scales"]),
        "wall_seconds": round(wall, 1),
        "cpu_seconds_without_postgres": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mib": round(after.ru_maxrss / 1024),
    }


def _driftline(directory: Path, *arguments: str, one_core: bool = False) -> None:
    def pin() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    subprocess.run(
        [sys.executable, "-m", "driftline", *arguments], cwd=directory, check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=pin if one_core else None,
    )  # fmt: skip


def main() -> None:
    """Print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--truths", action="store_true")
    options.add_argument("--no-textbook", dest="textbook", action="store_false")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="driftline-benchmark-") as directory:
        result = measure(Path(directory), rows=chosen.rows, truths=chosen.truths, textbook=chosen.textbook)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
