"""`driftline status`: models, watermark and what holds it, partitions, open incidents."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from consumers.kafka.topics import create_time_notice
from driftline.cli.dead_letters import refused_text
from driftline.cli.models import model_troubles
from driftline.cli.options import opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from driftline.cli.status_models import print_models
from monitor.humanize import moment
from monitor.settings import Settings, load_settings
from monitor.store.configuration import load_configuration
from monitor.store.database_clock import database_now_millis
from monitor.store.model_intake import stopped_models
from monitor.store.named_references import unadopted_names
from monitor.store.offsets import StoredOffset, list_offsets
from monitor.store.refused_counts import discovered_models, refused_totals
from monitor.store.topics import read_partitions
from monitor.store.views.status import model_statuses
from monitor.types import TimestampType, TopicRole
from monitor.windows.watermark import PartitionProgress, WatermarkRules, watermark_of, watermark_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """One predictions topic: how far its events are complete, and which partition holds that back."""

    topic: str
    watermark: int | None
    held_by: str | None
    held_because: str | None
    live: bool


def status(as_json: AsJson = False) -> None:
    """Show what is going on: last verdicts, accuracy, watermark and what holds it, partitions, open incidents."""
    settings = load_settings()
    with opened_database(settings) as engine, engine.connect() as connection:
        models = model_statuses(connection)
        partitions = list_offsets(connection)
        topics = _topic_statuses(connection, settings, partitions)
        refused, discovered = refused_totals(connection), discovered_models(connection)
        configuration = load_configuration(connection)
        stopped = stopped_models(connection)
        not_adopted = [notice for model in configuration.models for notice in unadopted_names(connection, model)]
    if as_json:
        print_json(
            {
                "models": models,
                "unreadable_specs": configuration.unreadable,
                "stopped_models": stopped,
                "topics": topics,
                "partitions": flat_partitions(partitions),
                "dead_letters": {total.reason: total.refused for total in refused},
                "dead_letters_kept": {total.reason: total.kept for total in refused},
                "models_not_applied": discovered,
                "references_not_adopted": not_adopted,
            }
        )
        return
    for name, troubles in sorted(model_troubles(configuration, stopped).items()):
        for trouble in troubles:
            print_line(f"{name} is blind, in part or wholly: {trouble}")
    print_models(models)
    _print_topics(topics)
    print_partitions(partitions)
    print_create_time(partitions)
    for notice in not_adopted:
        print_line(f"Notice: {notice}.")
    if refused:
        print_line(f"Dead letters: {refused_text(refused)}. See `driftline dead-letters list`.")
    if discovered:
        print_table(
            "Models that send records and were never applied",
            ("model", "records", "last seen (UTC)"),
            [(unknown.model, unknown.records, unknown.last_seen_at[:16].replace("T", " ")) for unknown in discovered],
            empty="none",
        )


def _topic_statuses(
    connection: sa.Connection, settings: Settings, partitions: tuple[StoredOffset, ...]
) -> tuple[TopicStatus, ...]:
    now, rules = database_now_millis(connection), watermark_rules(settings)
    by_key = {partition.key: partition for partition in partitions}
    statuses = []
    by_topic: dict[str, list[PartitionProgress]] = {}
    for state in read_partitions(connection, role=TopicRole.PREDICTIONS):
        by_topic.setdefault(state.key.topic, []).append(state)
    for topic, states in by_topic.items():
        mark = watermark_of(states, now=now, rules=rules)
        holder = next((state for state in states if state.key == mark.held_by), None)
        statuses.append(
            TopicStatus(
                topic=topic,
                watermark=mark.value,
                held_by=None if holder is None else str(holder.key),
                held_because=None if holder is None else _why_held(by_key[holder.key], holder, now=now, rules=rules),
                live=mark.live,
            )
        )
    return tuple(statuses)


def _why_held(partition: StoredOffset, state: PartitionProgress, *, now: int, rules: WatermarkRules) -> str:
    if partition.paused_reason is not None:
        return f"stopped: {partition.paused_reason}"
    if state.heartbeat_at is None:
        return "no worker has read it yet: is `driftline ingest` running?"
    if state.heartbeat_at < now - rules.heartbeat_stale:
        return f"no worker has read it since {moment(state.heartbeat_at)}: is `driftline ingest` running?"
    if partition.caught_up:
        return "it is read to its end, and follows the newest events of the others some seconds later"
    if state.complete_until is not None and state.complete_until >= now - rules.idle_timeout:
        return "it keeps up: its records come without a pause"
    return "it lags: more is coming in than is counted, or it is catching up"


def _print_topics(topics: tuple[TopicStatus, ...]) -> None:
    print_table(
        "Watermark",
        ("topic", "complete until (UTC)", "held by"),
        [(topic.topic, moment(topic.watermark), topic.held_by) for topic in topics],
        notes=[topic.held_because or "" for topic in topics],
        empty="no predictions topic was read yet",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLine:
    """One partition and what became of its records, as `--json` shows it."""

    topic: str
    partition: int
    role: str
    first_offset: int | None
    timestamp_type: str
    next_offset: int
    epoch: int
    max_event_time: int | None
    caught_up: bool
    heartbeat_at: str | None
    paused_reason: str | None
    records: int
    counted: int
    duplicates: int
    late: int
    dead: int
    unsampled: int
    extra_fields: int
    skipped: int
    unaccounted: int


def flat_partitions(partitions: tuple[StoredOffset, ...]) -> tuple[PartitionLine, ...]:
    """Return the partitions, each with its position and counters in one object."""
    return tuple(
        PartitionLine(
            topic=partition.key.topic,
            partition=partition.key.partition,
            role=partition.role.value,
            first_offset=partition.first_offset,
            timestamp_type=partition.timestamp_type.value,
            next_offset=partition.next_offset,
            epoch=partition.epoch,
            max_event_time=partition.max_event_time,
            caught_up=partition.caught_up,
            heartbeat_at=partition.heartbeat_at,
            paused_reason=partition.paused_reason,
            **asdict(partition.counters),
            unaccounted=partition.unaccounted,
        )
        for partition in partitions
    )


def print_partitions(partitions: tuple[StoredOffset, ...]) -> None:
    """Print the partitions and what became of their records."""
    print_table(
        "Partitions",
        (
            *("partition", "first", "next", "records", "holes"),
            *("newest event (UTC)", "at end", "counted", "dupl.", "late", "dead"),
        ),
        [
            (
                partition.key,
                partition.first_offset,
                partition.next_offset,
                partition.counters.records,
                partition.counters.skipped,
                moment(partition.max_event_time),
                "yes" if partition.caught_up else "no",
                partition.counters.counted,
                partition.counters.duplicates,
                partition.counters.late,
                partition.counters.dead,
            )
            for partition in partitions
        ],
        notes=[_note(partition) for partition in partitions],
        empty="none was read yet; is `driftline ingest` running?",
    )


def _note(partition: StoredOffset) -> str:
    notes = [] if partition.paused_reason is None else [f"stopped: {partition.paused_reason}"]
    if partition.unaccounted:
        notes.append(
            f"does not add up: expected records + holes = next - first, found {abs(partition.unaccounted)}"
            f" {'too few: records were passed uncounted' if partition.unaccounted > 0 else 'too many: counted twice'}"
        )
    return "; ".join(notes)


def print_create_time(partitions: tuple[StoredOffset, ...]) -> None:
    """Print which topics are dated by their producers, and what to do."""
    for topic in sorted({p.key.topic for p in partitions if p.timestamp_type is TimestampType.CREATE_TIME}):
        print_line(f"Notice: {create_time_notice(topic)}")
