"""`make soak`: kill, freeze and restart everything for half an hour, then count again; exits 1 if anything differs."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.services.databases import create_template, fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.kafka_jars import what_is_missing
from tests.services.postgres import PostgresServer
from tests.soak.plan import Hostile, SoakPlan
from tests.soak.run import run_soak


def main() -> int:
    """Run one soak; return its exit code."""
    arguments = _arguments()
    if missing := what_is_missing():
        print(f"The soak needs {missing}.", file=sys.stderr)
        return 2
    plan = SoakPlan(
        minutes=arguments.minutes,
        seed=arguments.seed,
        events_per_second=arguments.rate,
        pause_seconds=arguments.pause,
        postgres_delay_milliseconds=arguments.postgres_delay,
        group_protocol=arguments.protocol,
        hostile=frozenset(Hostile) - {Hostile(name) for name in arguments.without},
    )
    directory = Path(tempfile.mkdtemp(prefix="driftline-soak-"))
    directory.chmod(0o755)
    with (
        KafkaBroker(directory / "kafka") as broker,
        PostgresServer(directory / "postgres", durable=False) as postgres,
        fresh_database(postgres, template=create_template(postgres)) as url,
    ):
        report = run_soak(plan, directory / "roles", broker=broker, postgres=postgres, database_url=url, say=_say)
    print("\n".join(report.lines()))
    if report.is_clean:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"Logs and data are kept in {directory}")
    if arguments.json:
        arguments.json.write_text(report.document() + "\n", encoding="utf-8")
    return 0 if report.is_clean else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of disturbances; draining comes after them")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and of the faults' order")
    parser.add_argument("--rate", type=int, default=300, help="predictions a second")
    parser.add_argument("--pause", type=float, default=2.0, help="longest pause between two faults, in seconds")
    parser.add_argument("--postgres-delay", type=int, default=0, metavar="MS", help="answers of Postgres come later")
    parser.add_argument("--protocol", choices=("classic", "consumer"), default="classic", help="of the consumer group")
    parser.add_argument("--without", nargs="*", default=[], choices=[kind.value for kind in Hostile], metavar="KIND",
                        help=f"leave out hostile producers: {', '.join(Hostile)}")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
