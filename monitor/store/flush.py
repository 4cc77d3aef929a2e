"""One flush: offsets, panes, unseen values, ledger, inbox, identities, dead letters, deployments in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.errors import ConfigurationChanged
from monitor.failpoint import reach
from monitor.store.configuration import read_generation
from monitor.store.copy_text import copy_field, copy_lines
from monitor.store.dead_letters import DeadLetter, append_dead_letters
from monitor.store.duplicates import SeenIdentities, append_identities, forget_identities
from monitor.store.engine import driver_connection
from monitor.store.ledger import LedgerRows, append_predictions
from monitor.store.model_intake import IntakeRow, save_intake
from monitor.store.offsets import PartitionMove, move_offset
from monitor.store.pane_marks import NewMark, append_marks
from monitor.store.panes import PaneDelta, append_panes
from monitor.store.refused_counts import KeptBytes, RefusedCount, add_discovered, add_refused
from monitor.store.schema import deployment, flush
from monitor.store.unseen_values import UnseenDelta, append_unseen
from monitor.types import ModelKey, PartitionKey, Stage

_COLUMNS = 'model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset", incarnation'


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One truth; *value* None withdraws; times are epoch milliseconds; *prediction_hash* 32 hexadecimal digits."""

    model_id: int
    prediction_hash: str
    known_at: int
    value: str | None
    prediction_time: int | None
    source: PartitionKey
    offset: int


def append_truths(
    connection: psycopg.Connection, rows: Iterable[InboxRow], incarnations: Mapping[PartitionKey, int]
) -> None:
    """COPY *rows* into the inbox; *incarnations* of their topics, 0 where there is none."""
    lines = (
        f"{row.model_id}\t{row.prediction_hash}\t{row.known_at}\t{copy_field(row.value)}\t"
        f"{copy_field(None if row.prediction_time is None else str(row.prediction_time))}\t"
        f"{copy_field(row.source.topic)}\t{row.source.partition}\t{row.offset}\t"
        f"{incarnations.get(row.source, 0)}"
        for row in rows
    )
    copy_lines(connection, f"COPY truth_inbox ({_COLUMNS}) FROM STDIN", lines)


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
                    "model_id": row.model_id,
                    "version": row.version,
                    "event_time": row.event_time,
                    "stage": row.stage.value,
                    "traffic": row.traffic,
                    "manifest": None if row.manifest is None else msgspec.json.decode(row.manifest),
                    "topic": row.source.topic,
                    "incarnation": incarnations.get(row.source, 0),
                    "partition": row.source.partition,
                    "offset": row.offset,
                }
                for row in rows
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushContents:
    """Everything that one flush writes; *marks* name its panes, *identities* are of moved partitions of predictions."""

    worker: str
    generation: int
    horizon: int
    moves: tuple[PartitionMove, ...]
    panes: tuple[PaneDelta, ...]
    marks: tuple[NewMark, ...]
    predictions: tuple[LedgerRows, ...]
    truths: tuple[InboxRow, ...]
    deployments: tuple[DeploymentRow, ...]
    dead_letters: tuple[DeadLetter, ...]
    unseen: tuple[UnseenDelta, ...]
    refused: tuple[RefusedCount, ...]
    discovered: Mapping[ModelKey, int]
    intakes: tuple[IntakeRow, ...]
    identities: dict[PartitionKey, SeenIdentities]


def write_flush(connection: sa.Connection, contents: FlushContents) -> KeptBytes:
    """Write *contents*; the caller's transaction commits all of it or nothing.

    Return the bytes of dead letters that are kept in this hour then.

    Raises:
        ConfigurationChanged: The batch was counted under another generation than the one in force.
        OffsetFenced: A partition is no longer where we left it.
    """
    # a frozen worker must not keep the rows locked against who takes its partitions over
    connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '20s'"))
    require_generation(connection, contents.generation)
    reach("flush.before_offsets")
    for move in sorted(contents.moves, key=lambda move: move.key):
        move_offset(connection, move)
    reach("flush.after_offsets")
    incarnations = {move.key: move.incarnation for move in contents.moves}
    driver = driver_connection(connection)
    if contents.panes:
        append_panes(driver, contents.panes)
        append_marks(driver, contents.marks)
    reach("flush.after_panes")
    if contents.predictions:
        append_predictions(driver, contents.predictions, incarnations)
    reach("flush.after_predictions")
    if contents.truths:
        append_truths(driver, contents.truths, incarnations)
    reach("flush.after_truths")
    next_offsets = {move.key: move.next_offset for move in contents.moves if move.key in contents.identities}
    append_identities(connection, contents.identities, next_offsets, incarnations)
    forget_identities(connection, next_offsets, horizon=contents.horizon)
    reach("flush.after_identities")
    append_dead_letters(connection, contents.dead_letters, incarnations)
    reach("flush.after_dead_letters")
    append_deployments(connection, contents.deployments, incarnations)
    reach("flush.after_deployments")
    append_unseen(connection, contents.unseen)
    save_intake(connection, contents.intakes)
    ranges = [[m.key.topic, m.key.partition, m.first_offset, m.next_offset] for m in contents.moves]
    connection.execute(sa.insert(flush).values(worker=contents.worker, ranges=ranges, marked=True))
    # Last: these rows are every worker's, and locked until the commit.
    add_discovered(connection, contents.discovered)
    kept = add_refused(connection, contents.refused)
    reach("flush.before_commit")
    return kept


def require_generation(connection: sa.Connection, expected: int) -> None:
    """Return when the configuration is the one that the batch was counted under.

    Raises:
        ConfigurationChanged: It is another by now.
    """
    if (in_force := read_generation(connection)) != expected:
        raise ConfigurationChanged(f"configuration: counted under generation {expected}, found {in_force}")
