"""What any Python consumer pays at least: consume a batch, throw it away. Run as a process of its own by `ingest`."""

import json
import resource
import sys
from collections.abc import Sequence

from consumers.kafka.consumer import InputConsumer
from consumers.kafka.settings import Rebalance
from monitor.clock import cpu_seconds, monotonic_seconds
from monitor.settings import load_settings
from monitor.types import PartitionKey


def main(events: int) -> None:
    """Consume *events* records with ingest's own consumer; print CPU and wall seconds from the first batch on."""
    settings = load_settings()
    waiting: set[PartitionKey] = set()

    def assigned(keys: Sequence[PartitionKey]) -> None:
        waiting.update(keys)

    consumer = InputConsumer(settings, Rebalance(assigned=assigned, revoked=lambda _: None, lost=lambda _: None))
    consumer.subscribe(settings.predictions_topics)
    seen = 0
    cpu = wall = 0.0
    while seen < events:
        waiting -= {key for key in waiting if consumer.start_reading(key, 0)}
        records = consumer.consume(settings.batch_size, timeout_seconds=0.2).records
        if records and seen == 0:
            cpu, wall = cpu_seconds(), monotonic_seconds()
        seen += len(records)
    cpu, wall = cpu_seconds() - cpu, monotonic_seconds() - wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(json.dumps({"cpu": cpu, "wall": wall, "memory_mb": memory}) + "\n")
    consumer.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
