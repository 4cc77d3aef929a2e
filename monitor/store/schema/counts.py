"""What ingest writes: offsets, panes, unseen values, dead letters, deployments."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from monitor.store.schema.columns import json_column, metadata, wall
from monitor.types import DeadLetterReason

input_offset = sa.Table(
    "input_offset",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("topic_id", sa.Text, nullable=False, server_default=""),  # empty where the broker has no ids
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),  # of the topic, see topic_incarnation
    # Where counting began, so that records + skipped = next_offset - first_offset; null until the next claim.
    sa.Column("first_offset", sa.BigInteger, nullable=True),
    sa.Column("timestamp_type", sa.Text, nullable=False, server_default=""),  # of the topic; empty: not known
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("max_event_time", sa.BigInteger, nullable=True),
    # The newest event of all partitions some seconds before this one, at its end, was looked at again; see ADR 11.
    sa.Column("confirmed_event_time", sa.BigInteger, nullable=True),
    wall("caught_up_at", nullable=True),  # when the end was reached, null while it lags
    wall("heartbeat_at", nullable=True),
    sa.Column("paused_reason", sa.Text, nullable=True),
    # What became of every record up to next_offset; moved with it, so exact.
    sa.Column("records", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("counted", sa.BigInteger, nullable=False, server_default="0"),  # rows, where one record holds several
    sa.Column("duplicates", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("late", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("dead", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unsampled", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("extra_fields", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("skipped", sa.BigInteger, nullable=False, server_default="0"),  # offsets without a record, as explained
    # One bit per record of the last 1,000: it was a dead letter that no model can be blamed for; only a notice.
    sa.Column("recent_bad", sa.LargeBinary, nullable=True),
    # Bad records before it are not among them: `partitions resume` sets -1, the next claim the end.
    sa.Column("forgiven_until", sa.BigInteger, nullable=False, server_default="0"),
)

model_intake = sa.Table(  # how one model's records fare in one partition; a row once it has had any there
    "model_intake",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("recent_bad", sa.LargeBinary, nullable=True),  # one bit per record of its last 1,000, as above
    sa.Column("forgiven_until", sa.BigInteger, nullable=False, server_default="0"),  # -1: `models resume`, as above
    sa.Column("stopped_reason", sa.Text, nullable=True),  # from then on its records are dead letters
    wall("stopped_at", nullable=True),
    # Event times whose records are missing here: of the stop that is in force, or was the last one.
    sa.Column("blind_since", sa.BigInteger, nullable=True),
    sa.Column("blind_until", sa.BigInteger, nullable=True),
    sa.Index("ix_model_intake_blind", "model_id", postgresql_where=sa.text("blind_since IS NOT NULL")),
)

topic_incarnation = sa.Table(  # a topic created again under its name is another log; its number is in a record's keys
    "topic_incarnation",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("topic_id", sa.Text, primary_key=True),  # Kafka's
    sa.Column("number", sa.Integer, nullable=False),
)

flush = sa.Table(
    "flush",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("worker", sa.Text, nullable=False),
    json_column("ranges"),  # [[topic, partition, first offset, next offset], …], for evidence
    wall("flushed_at"),
    # False: by a program that wrote no pane_mark itself; the trigger of migration 0010 writes it instead.
    sa.Column("marked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "flushed_at"),
)

dedup = sa.Table(
    "dedup",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("incarnation", sa.Integer, primary_key=True, autoincrement=False, server_default="0"),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "next_offset", sa.BigInteger, primary_key=True, autoincrement=False
    ),  # after the last record of the flush
    sa.Column("offsets", sa.LargeBinary, nullable=False),  # int64 little-endian
    sa.Column("hashes", sa.LargeBinary, nullable=False),  # uint64 little-endian, one per offset
)

pane = sa.Table(
    "pane",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("cells_id", sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("span", sa.SmallInteger, nullable=False),  # minutes: 1, 10 or 60
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("sampled", sa.BigInteger, nullable=False),  # of them in the ledger
    sa.Column("counts", sa.LargeBinary(), nullable=False),
    sa.Index(None, "series_id", "start"),
    sa.Index(None, "start"),  # for retention; rows come in nearly this order, so it costs a flush next to nothing
)

pane_mark = sa.Table(  # what a flush added to the panes of one model; evaluation reads and deletes it
    "pane_mark",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.Integer, nullable=False),
    sa.Column("oldest", sa.BigInteger, nullable=False),  # the least of starts
    sa.Column("series_ids", ARRAY(sa.Integer), nullable=False),  # one per pane, as starts
    sa.Column("starts", ARRAY(sa.BigInteger), nullable=False),
    sa.Index(None, "model_id", "id"),
    sa.Index(None, "oldest"),
)

unseen_value = sa.Table(  # one row per flush, series, column and hour; maintain replaces them by their sum
    "unseen_value",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("column_name", sa.Text, nullable=False),
    sa.Column("hour", sa.BigInteger, nullable=False),  # its start, event time
    json_column("counts"),  # [[value, events], …], at most 20
    sa.Column("other", sa.BigInteger, nullable=False),  # events with another value
    sa.Column("merged", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "series_id", "hour"),
    sa.Index(None, "hour"),
    sa.Index("ix_unseen_value_to_merge", "id", postgresql_where=sa.text("NOT merged")),
)

dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=True),
    sa.Column("value", sa.LargeBinary, nullable=True),  # null: too large to keep
    json_column("headers"),  # [[name, value], …]
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=True),  # whose record it is, as far as it says: a name from a message
    sa.Column("model", sa.Text, nullable=True),
    wall("recorded_at"),
    wall("replayed_at", nullable=True),
    sa.Index(None, "recorded_at"),
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),
    sa.UniqueConstraint("topic", "incarnation", "partition", "offset", "row"),
    sa.Index(
        "ix_dead_letter_parked",
        "namespace",
        "model",
        "id",
        postgresql_where=sa.text(
            f"replayed_at IS NULL AND reason IN ('{DeadLetterReason.PARKED}', '{DeadLetterReason.SPEC_UNREADABLE}')"
        ),
    ),
)

dead_letter_count = sa.Table(  # every refused record, whether a dead letter was kept of it or not
    "dead_letter_count",
    metadata,
    sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),  # by the database's clock when it was refused
    sa.Column("reason", sa.Text, primary_key=True),
    # An applied model, one of `discovered_model`, or empty and `other`; both empty where a record names none.
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("kept", sa.BigInteger, nullable=False),
    sa.Column("kept_bytes", sa.BigInteger, nullable=False),
)

discovered_model = sa.Table(  # models that nobody applied: a hundred names, the rest is `other` in no namespace
    "discovered_model",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("records", sa.BigInteger, nullable=False),
    wall("first_seen_at"),
    wall("last_seen_at"),
)

deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("event_time", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("traffic", sa.Double, nullable=True),
    json_column("manifest", nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),
    # Of a row that no event wrote but an accepted rollback: when it was asked for; see monitor.store.deployments.
    sa.Column("assumed_since", sa.BigInteger, nullable=True),
    sa.Column("contradicted_at", sa.BigInteger, nullable=True),  # by predictions of a window that ended then
    sa.UniqueConstraint("topic", "incarnation", "partition", "offset"),
    sa.Index(None, "model_id", "event_time"),
    sa.Index(None, "event_time"),
)
