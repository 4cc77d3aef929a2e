"""What the database must hold of truths and deployments: the topics read from offset 0, one row for each good record.

Like the oracle of predictions it shares no code with `consumers`. For streams whose truths are all sampled and whose
inbox no `maintain` empties.
"""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from monitor.store.schema import deployment, truth_inbox
from tests.oracle.panes import partitions_of, read_partition

Place = tuple[str, int, int]
"""Topic, partition, offset."""


def truths_of_topic(bootstrap: str, topic: str) -> Counter[tuple[Place, int, str]]:
    """Return (place, known at, value) of every truth in *topic*."""
    return Counter(
        (place, _millis(event["timestamp"]), str(event["truth"])) for place, event in _events(bootstrap, topic)
    )


def truths_in_database(engine: sa.Engine) -> Counter[tuple[Place, int, str]]:
    """Return the same of the inbox."""
    t = truth_inbox.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(t.topic, t.partition, t.offset, t.known_at, t.value))
        return Counter(((topic, partition, offset), at, value) for topic, partition, offset, at, value in rows)


def deployments_of_topic(bootstrap: str, topic: str) -> Counter[tuple[Place, str, str, int]]:
    """Return (place, version, stage, event time) of every deployment in *topic*."""
    return Counter(
        (place, event["version"], event["stage"], _millis(event["timestamp"]))
        for place, event in _events(bootstrap, topic)
    )


def deployments_in_database(engine: sa.Engine) -> Counter[tuple[Place, str, str, int]]:
    """Return the same of the deployments' history, without what is only assumed."""
    d = deployment.c
    with engine.connect() as connection:
        query = sa.select(d.topic, d.partition, d.offset, d.version, d.stage, d.event_time)
        rows = connection.execute(query.where(d.assumed_since.is_(None)))
        return Counter(((topic, partition, offset), *rest) for topic, partition, offset, *rest in rows)


def _events(bootstrap: str, topic: str) -> list[tuple[Place, dict[str, Any]]]:
    results = []
    for partition in partitions_of(bootstrap, topic):
        for message in read_partition(bootstrap, topic, partition):
            try:
                event = json.loads(message.value() or b"")
            except ValueError:
                continue
            results.append(((topic, partition, int(message.offset() or 0)), event))
    return results


def _millis(at: str | int) -> int:
    return at if isinstance(at, int) else round(datetime.fromisoformat(at).timestamp() * 1000)
