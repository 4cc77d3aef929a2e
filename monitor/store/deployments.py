"""The deployments' history as it arrives from its topic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.schema import deployment
from monitor.types import PartitionKey, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRow:
    """One deployment event; *manifest* is its JSON object, *traffic* a share."""

    model_id: int
    version: str
    event_time: int
    stage: Stage
    traffic: float | None
    manifest: bytes | None
    source: PartitionKey
    offset: int


def append_deployments(
    connection: sa.Connection, rows: Sequence[DeploymentRow], incarnations: Mapping[PartitionKey, int]
) -> None:
    """Append *rows*; one that is there already (same topic and incarnation, partition, offset) stays as it is."""
    if rows:
        connection.execute(
            insert(deployment).on_conflict_do_nothing(),
            [
                {
                    "model_id": each.model_id,
                    "version": each.version,
                    "event_time": each.event_time,
                    "stage": each.stage.value,
                    "traffic": each.traffic,
                    "manifest": None if each.manifest is None else msgspec.json.decode(each.manifest),
                    "topic": each.source.topic,
                    "incarnation": incarnations.get(each.source, 0),
                    "partition": each.source.partition,
                    "offset": each.offset,
                }
                for each in rows
            ],
        )
