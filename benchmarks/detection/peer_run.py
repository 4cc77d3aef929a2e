"""Runs the peers on streams: windows go out as files, `.cache/peers` is started, alarms come back and are kept."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from benchmarks.detection.episodes import Alarm
from benchmarks.detection.kept_answers import KeptAnswers
from benchmarks.detection.source_digest import source_digest
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


def peer_answer(stream: Stream, *, length: int, kept: KeptAnswers) -> PeerAnswer:
    """Return the alarms of every peer on *stream*, as kept where the peers judged these very files before.

    What a peer says depends on the files that it reads, on the adapters and on the locked versions: not on Driftline.
    """
    with TemporaryDirectory(prefix="driftline-peers-") as root:
        directory = Path(root) / "stream"
        ends = write_stream(stream, directory, length=length, time_reports=False)
        written = kept.answer("peers", peers_digest(), _files_digest(directory), make=lambda: _judged(directory))
    return _answer(written, ends)


def timed_peers(stream: Stream, *, length: int) -> PeerAnswer:
    """Return what every peer says of *stream* and the CPU of it, whole Evidently reports too; nothing is kept."""
    with TemporaryDirectory(prefix="driftline-peers-") as root:
        directory = Path(root) / "stream"
        ends = write_stream(stream, directory, length=length, time_reports=True)
        return _answer(_judged(directory), ends)


def peers_digest() -> str:
    """Return a digest of the peers' adapters and of the versions in their lock."""
    lock = "benchmarks/detection/peers.lock"
    return source_digest("benchmarks.detection.peers.__main__", also=(lock,))


def _files_digest(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _judged(directory: Path) -> dict[str, Any]:
    run_peers(directory.parent)
    written: dict[str, Any] = json.loads((directory / "alarms.json").read_text())
    return written


def read_alarms(directory: Path, ends: Sequence[int]) -> PeerAnswer:
    """Return what the peers wrote into a stream's *directory*, *ends* being those of `write_stream`."""
    return _answer(json.loads((directory / "alarms.json").read_text()), ends)


def _answer(written: dict[str, Any], ends: Sequence[int]) -> PeerAnswer:
    judged = tuple(
        PeerAlarms(
            peer=conclusion["peer"],
            alarms=tuple(
                Alarm(end=end, columns=tuple(columns)) for end, columns in zip(ends, conclusion["alarms"], strict=True)
            ),
            cpu_seconds=conclusion["cpu_seconds"] / max(len(ends), 1),
        )
        for conclusion in written["judged"]
    )
    return PeerAnswer(judged=judged, report_cpu_seconds=tuple(written["report_cpu_seconds"]))
