"""Speed of ingest against a bare consume loop on the same broker, in one run: `make bench`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import sqlalchemy as sa
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks.evaluate import measure_evaluation
from benchmarks.events import messages, reference_table
from monitor.store.engine import make_engine
from monitor.store.migrate import upgrade
from monitor.store.schema import input_offset
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer

RESULTS = Path(__file__).parent / "results"
TOPIC = "predictions"
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One process over all events; CPU in microseconds per event, memory in MB."""

    name: str
    events_per_second: float
    cpu_per_event: float
    memory_at_tenth: float | None = None
    memory_at_end: float | None = None
    split: dict[str, float] | None = None
    ratio_to_bare: float | None = None


def main() -> None:
    """Measure, print, and write the figures to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="each of the three is run this often, in turn")
    parser.add_argument("--skip-evaluation", action="store_true")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with (
            KafkaBroker(directory / "kafka", heap_megabytes=1024) as broker,
            PostgresServer(directory / "pg") as server,
        ):
            produce(broker, arguments.events, console)
            rounds = [
                run_round(directory, broker, server, arguments.events, index) for index in range(arguments.rounds)
            ]
            evaluation = None if arguments.skip_evaluation else measure_evaluation(directory, server)
    show(console, rounds)
    if evaluation:
        console.print_json(json.dumps(evaluation))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    document = {"date": stamp, "events": arguments.events, "rounds": [[asdict(m) for m in r] for r in rounds],
                "evaluation": evaluation}  # fmt: skip
    path = RESULTS / f"{stamp}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    console.print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def produce(broker: KafkaBroker, events: int, console: Console) -> None:
    """Write *events* prediction events to a topic of four partitions."""
    broker.create_topic(TOPIC, partitions=4)
    for name in ("ground-truth", "deployments", "driftline.wakeups"):
        broker.create_topic(name, partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "compression.type": "lz4",
                         "queue.buffering.max.messages": 1_000_000})  # fmt: skip
    sample = messages(events, seed=7)
    sizes = [len(value) for _, value, _ in sample]
    console.print(f"{events:,} events of {min(sizes)} to {max(sizes)} bytes, four partitions, lz4")
    for key, value, millis in sample:
        while True:
            try:
                producer.produce(TOPIC, value, key=key, timestamp=millis)
                break
            except BufferError:
                producer.poll(0.5)
        producer.poll(0)
    producer.flush(120)


def run_round(
    directory: Path, broker: KafkaBroker, server: PostgresServer, events: int, number: int
) -> tuple[Measured, Measured, Measured]:
    """Run the bare loop, ingest without and with the ledger, one after the other."""
    bare = run_bare(broker, events, number)
    results = [bare]
    for rate in (0.0, 0.1):
        measured = run_ingest_at(directory, broker, server, events, rate=rate, number=number)
        results.append(Measured(**{**asdict(measured), "ratio_to_bare": bare.cpu_per_event / measured.cpu_per_event}))
    return results[0], results[1], results[2]


def run_bare(broker: KafkaBroker, events: int, number: int) -> Measured:
    """Consume and discard."""
    environment = {**os.environ, "DRIFTLINE_KAFKA_BOOTSTRAP": broker.bootstrap,
                   "DRIFTLINE_KAFKA_GROUP": f"bare-{number}"}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(events)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    figures = json.loads(done.stdout.splitlines()[-1])
    return Measured(
        name="bare consume loop",
        events_per_second=events / figures["wall"],
        cpu_per_event=figures["cpu"] / events * 1e6,
        memory_at_end=figures["memory_mb"],
    )


def run_ingest_at(
    directory: Path, broker: KafkaBroker, server: PostgresServer, events: int, *, rate: float, number: int
) -> Measured:
    """Run one real ingest process over the whole topic into a new database."""
    name = f"bench_{number}_{str(rate).replace('.', '')}"
    url = server.create_database(name)
    upgrade(url)
    environment = {**os.environ, "DRIFTLINE_DATABASE_URL": url, "DRIFTLINE_KAFKA_BOOTSTRAP": broker.bootstrap,
                   "DRIFTLINE_KAFKA_GROUP": name}  # fmt: skip
    apply_model(directory, environment, rate)
    output = directory / f"{name}.json"
    command = [sys.executable, "-m", "benchmarks.ingest_worker", str(output)]
    process = subprocess.Popen(command, env=environment, stderr=(directory / f"{name}.log").open("wb"))
    memory = _watch(process, url, events)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    figures = json.loads(output.read_text())
    server.drop_database(name)
    return Measured(
        name=f"ingest, ledger {rate:g}",
        events_per_second=events / figures["wall"],
        cpu_per_event=figures["cpu"] / events * 1e6,
        memory_at_tenth=memory[0],
        memory_at_end=memory[1],
        split={part: seconds / events * 1e6 for part, seconds in figures["split"].items()},
    )


def apply_model(directory: Path, environment: dict[str, str], rate: float) -> None:
    """Make the reference, the spec and apply it, as a user would."""
    reference = directory / "reference.parquet"
    if not reference.exists():
        pq.write_table(reference_table(), reference)
    commands = (
        ["init", "--reference", str(reference), "--model", "bench", "--score", "score", "--force",
         "--sample-rate", str(rate)],
        ["apply", "bench.yaml"],
    )  # fmt: skip
    for arguments in commands:
        subprocess.run([sys.executable, "-m", "driftline", *arguments], cwd=directory, env=environment, check=True,
                       stdout=subprocess.DEVNULL, timeout=120)  # fmt: skip


def _watch(process: subprocess.Popen[bytes], url: str, events: int) -> tuple[float, float]:
    """Wait until every event is counted; return resident memory in MB after a tenth of them and at the end."""
    engine = make_engine(url)
    tenth = None
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"ingest ended early with {process.returncode}")
        with engine.connect() as connection:
            counted = connection.execute(sa.select(sa.func.sum(input_offset.c.counted))).scalar() or 0
        if tenth is None and counted >= events / 10:
            tenth = _resident_megabytes(process.pid)
        if counted >= events:
            engine.dispose()
            return tenth or 0.0, _resident_megabytes(process.pid)
        time.sleep(0.5)


def _resident_megabytes(pid: int) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def show(console: Console, rounds: list[tuple[Measured, Measured, Measured]]) -> None:
    """Print one table for all rounds."""
    table = Table("run", "events/s", "CPU µs/event", "ratio to bare CPU", "split µs", "memory MB (10 % → end)")
    for number, measurements in enumerate(rounds):
        for measurement in measurements:
            ratio = f"{measurement.ratio_to_bare:.2f}" if measurement.ratio_to_bare else ""
            split = " ".join(f"{part} {value:.2f}" for part, value in (measurement.split or {}).items())
            memory = " → ".join(
                f"{value:.0f}" for value in (measurement.memory_at_tenth, measurement.memory_at_end) if value
            )
            name, speed, cost = (
                measurement.name,
                f"{measurement.events_per_second:,.0f}",
                f"{measurement.cpu_per_event:.2f}",
            )
            table.add_row(f"{number + 1}: {name}", speed, cost, ratio, split, memory)
    console.print(table)


if __name__ == "__main__":
    main()
