"""Kills and restarts of ingest workers under load with slow claims, compared with the topics: `make hammer`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.faults.hammer import Blows, Hammer
from tests.services.databases import create_template, fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer


def main() -> int:
    """Run a round for each protocol, print its figures as a JSON line; 1 when anything was lost or counted twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of blows, for each protocol")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--events-per-second", type=int, default=2000)
    parser.add_argument("--protocol", choices=("classic", "consumer", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a directory for the workers' logs")
    arguments = parser.parse_args()
    protocols = ("classic", "consumer") if arguments.protocol == "both" else (arguments.protocol,)
    exact = True
    with tempfile.TemporaryDirectory(prefix="driftline-hammer-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with KafkaBroker(directory / "kafka") as broker, PostgresServer(directory / "pg", durable=False) as server:
            template = create_template(server)
            for protocol in protocols:
                blows = Blows(
                    seconds=arguments.seconds,
                    workers=arguments.workers,
                    events_per_second=arguments.events_per_second,
                    protocol=protocol,
                    seed=arguments.seed,
                )
                logs = (arguments.keep or directory) / f"workers-{protocol}"
                with (
                    fresh_database(server, template=template) as url,
                    Hammer(broker, url, logs, blows) as hammer,
                ):
                    outcome = hammer.run()
                sys.stdout.write(json.dumps(outcome.document()) + "\n")
                sys.stdout.flush()
                exact = exact and outcome.exact
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
