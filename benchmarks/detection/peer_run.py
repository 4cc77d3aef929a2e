"""Runs the peers on streams: writes the windows as files, starts `.cache/peers`, reads the alarms back."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.detection.episodes import Alarm
from benchmarks.detection.stream import TIME, Stream, times_of

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache" / "peers" / "bin" / "python"
STAMP = ROOT / ".cache" / "peers" / ".ready"
# Both report their use to a server unless these are set.
SILENT = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAlarms:
    """The alarms of one peer on one stream; *cpu_seconds* per window, its fitting included."""

    peer: str
    alarms: tuple[Alarm, ...]
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAnswer:
    """The alarms of all peers on one stream; *report_cpu_seconds* of whole Evidently reports where asked for."""

    judged: tuple[PeerAlarms, ...]
    report_cpu_seconds: tuple[float, ...]


def window_ends(stream: Stream, length: int) -> tuple[int, ...]:
    """Return the ends (ms) of the disjoint windows of *length* that the current part covers whole."""
    times = times_of(stream.current)
    first = -(-int(times[0] - length // 100) // length) * length  # the first event comes a little after the start
    last = int(times[-1] + length // 100) // length * length
    return tuple(range(first + length, last + 1, length))


def write_stream(stream: Stream, directory: Path, *, length: int, time_reports: bool) -> tuple[int, ...]:
    """Write the files that `read_windows` of the peers reads; return the windows' ends.

    Args:
        length: Of the windows, disjoint and aligned to the epoch, in ms.
        time_reports: Also time whole Evidently reports of the first windows.
    """
    directory.mkdir(parents=True)
    columns = [TIME, *stream.watched]
    pq.write_table(stream.reference.select(columns), directory / "reference.parquet")
    pq.write_table(stream.current.select(columns), directory / "current.parquet")
    ends = window_ends(stream, length)
    asked = {"columns": stream.watched, "windows": [(end - length, end) for end in ends], "length": length}
    (directory / "windows.json").write_text(json.dumps(asked))
    if time_reports:
        (directory / "time-reports").touch()
    return ends


def run_peers(directory: Path, *, peers: Iterable[str] = ()) -> None:
    """Let every peer (or those named) judge each stream under *directory*.

    Raises:
        FileNotFoundError: The peers' environment is not there.
        subprocess.CalledProcessError: A peer failed; its words are on the standard error.
    """
    if not STAMP.exists():
        raise FileNotFoundError(
            f"expected the peers' environment at {PYTHON}, found none; run `make .cache/peers/.ready`"
        )
    command = [str(PYTHON), "-m", "benchmarks.detection.peers", str(directory), *peers]
    environment = {**os.environ, **SILENT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, cwd=ROOT, check=True)


def read_alarms(directory: Path, ends: Sequence[int]) -> PeerAnswer:
    """Return what the peers wrote into a stream's *directory*, *ends* being those of `write_stream`."""
    answer = json.loads((directory / "alarms.json").read_text())
    judged = tuple(
        PeerAlarms(
            peer=conclusion["peer"],
            alarms=tuple(
                Alarm(end=end, columns=tuple(columns)) for end, columns in zip(ends, conclusion["alarms"], strict=True)
            ),
            cpu_seconds=conclusion["cpu_seconds"] / max(len(ends), 1),
        )
        for conclusion in answer["judged"]
    )
    return PeerAnswer(judged=judged, report_cpu_seconds=tuple(answer["report_cpu_seconds"]))
