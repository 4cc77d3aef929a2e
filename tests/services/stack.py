"""A real Kafka and a real Postgres on this machine until Ctrl-C; what they hold stays in .cache/stack."""

import signal
import sys

from tests.services.kafka import KafkaBroker
from tests.services.kafka_jars import ROOT, what_is_missing
from tests.services.postgres import PostgresServer
from tests.services.processes import ServiceFailed

KAFKA_PORT = 19092
POSTGRES_PORT = 15432
DIRECTORY = ROOT / ".cache" / "stack"


def main() -> int:
    if missing := what_is_missing():
        print(f"The stack needs {missing}.", file=sys.stderr)
        return 1
    kafka = KafkaBroker(DIRECTORY / "kafka", port=KAFKA_PORT)
    postgres = PostgresServer(DIRECTORY / "postgres", port=POSTGRES_PORT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with postgres, kafka:
            print("Kafka and Postgres are up; Ctrl-C ends them. In another terminal:\n")
            print(f"  export DRIFTLINE_KAFKA_BOOTSTRAP={kafka.bootstrap}")
            print(f"  export DRIFTLINE_DATABASE_URL={postgres.url()}\n", flush=True)
            signal.pause()
    except ServiceFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Kafka and Postgres ended.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
