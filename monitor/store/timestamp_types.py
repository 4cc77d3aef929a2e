"""Who dates the records of each input topic, beside the offsets: Kafka's `message.timestamp.type`."""

from collections.abc import Mapping

import sqlalchemy as sa

from monitor.store.schema import input_offset
from monitor.types import TimestampType


def write_timestamp_types(connection: sa.Connection, types: Mapping[str, TimestampType]) -> None:
    """Store the timestamp type of each topic in the rows of its partitions; what is stored already is not touched."""
    for topic, found in sorted(types.items()):
        connection.execute(
            sa.update(input_offset)
            .where(input_offset.c.topic == topic, input_offset.c.timestamp_type != found.value)
            .values(timestamp_type=found.value)
        )
