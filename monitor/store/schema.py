"""The tables of Driftline's state, as SQLAlchemy Core; migrations produce exactly these."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# Event times are epoch milliseconds in bigint: counts, windows and cuts are integer arithmetic everywhere.
# Wall-clock times, which only people and schedules read, are timestamptz written by the database's own clock.


def _wall(name: str, *, nullable: bool = False) -> sa.Column:  # type: ignore[type-arg]  # one helper for typed and nullable
    default = None if nullable else sa.text("clock_timestamp()")
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def _json(name: str, *, nullable: bool = False) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, JSONB, nullable=nullable)


configuration = sa.Table(
    "configuration",
    metadata,
    sa.Column("only", sa.Boolean, sa.CheckConstraint("only", name="only"), primary_key=True, server_default=sa.true()),
    sa.Column("generation", sa.BigInteger, nullable=False),  # moved by `apply`; each flush reads it
)

model = sa.Table(
    "model",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),  # kill switch of this model's actions
    _wall("created_at"),
    sa.UniqueConstraint("namespace", "name"),
)

spec = sa.Table(
    "spec",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),  # the YAML as the user wrote it
    sa.Column("cells_id", sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("reference_id", sa.ForeignKey("reference.id"), nullable=False),
    _wall("applied_at"),
)

cells = sa.Table(
    "cells",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("layout", sa.LargeBinary, nullable=False),
    sa.Column("effective_from", sa.BigInteger, nullable=False),  # pane start (ms) from which events are counted on them
    sa.UniqueConstraint("model_id", "digest"),
)

reference = sa.Table(
    "reference",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("cells_id", sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    _wall("created_at"),
    sa.UniqueConstraint("model_id", "digest"),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("segment_tag", sa.Text, nullable=False),
    sa.Column("segment_value", sa.Text, nullable=False),
    _wall("created_at"),
    sa.UniqueConstraint("model_id", "version", "segment_tag", "segment_value"),
)

input_offset = sa.Table(
    "input_offset",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("topic_id", sa.Text, nullable=False, server_default=""),  # empty where the broker has none to tell
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("max_event_time", sa.BigInteger, nullable=True),
    _wall("caught_up_at", nullable=True),  # when the end was reached, null while it lags
    _wall("heartbeat_at", nullable=True),
    sa.Column("paused_reason", sa.Text, nullable=True),
    # What became of every record up to next_offset; moved with it, so exact.
    sa.Column("records", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("counted", sa.BigInteger, nullable=False, server_default="0"),  # rows, where one record holds several
    sa.Column("duplicates", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("late", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("dead", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unsampled", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("extra_fields", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column(
        "recent_bad", sa.LargeBinary, nullable=True
    ),  # one bit per record of the last 1,000: it was a dead letter
)

flush = sa.Table(
    "flush",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("worker", sa.Text, nullable=False),
    _json("ranges"),  # [[topic, partition, first offset, next offset], …], for evidence
    _wall("flushed_at"),
)

dedup = sa.Table(
    "dedup",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
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
    _json("headers"),  # [[name, value], …]
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    _wall("recorded_at"),
    _wall("replayed_at", nullable=True),
    sa.UniqueConstraint("topic", "partition", "offset", "row"),
)

prediction_ledger = sa.Table(
    "prediction_ledger",
    metadata,
    sa.Column("model_id", sa.Integer, nullable=False),
    sa.Column("prediction_hash", UUID(as_uuid=False), nullable=False),  # XXH3-128 of namespace, model and id
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("series_ids", ARRAY(sa.Integer), nullable=False),
    sa.Column("event_time", sa.BigInteger, nullable=False),
    sa.Column("score", sa.Double, nullable=True),
    sa.Column("label", sa.Text, nullable=True),
    sa.Column("value", sa.Double, nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Index(None, "model_id", "prediction_hash"),
    postgresql_partition_by="RANGE (event_time)",
)

truth_inbox = sa.Table(
    "truth_inbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.Integer, nullable=False),
    sa.Column("prediction_hash", UUID(as_uuid=False), nullable=False),
    sa.Column("known_at", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, nullable=True),  # null withdraws
    sa.Column("prediction_time", sa.BigInteger, nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    _wall("received_at"),
)

truth = sa.Table(  # the truth in force, one row per prediction id
    "truth",
    metadata,
    sa.Column("model_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("prediction_hash", UUID(as_uuid=False), primary_key=True),
    sa.Column("known_at", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, nullable=True),
    sa.Column("prediction_time", sa.BigInteger, nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("matched", sa.Integer, nullable=False, server_default="0"),  # predictions it was joined with
    sa.Column("probes", sa.Integer, nullable=False, server_default="0"),
    _wall("first_seen_at"),
    _wall("next_probe_at", nullable=True),  # null: past the horizon, an orphan if nothing matched
    sa.Index("ix_truth_next_probe_at", "next_probe_at", postgresql_where=sa.text("next_probe_at IS NOT NULL")),
)

joined = (
    sa.Table(  # what each joined prediction adds to the performance panes now, so that a correction can take it back
        "joined",
        metadata,
        sa.Column("model_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("prediction_hash", UUID(as_uuid=False), primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("output", sa.Text, primary_key=True),
        sa.Column("series_ids", ARRAY(sa.Integer), nullable=False),
        sa.Column("minute", sa.BigInteger, nullable=False),
        sa.Column("age_bucket", sa.SmallInteger, nullable=False),
        sa.Column("correct", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),  # false: withdrawn
    )
)

performance_pane = sa.Table(
    "performance_pane",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("output", sa.Text, primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("age_bucket", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    sa.Column("correct", sa.BigInteger, nullable=False),
    _wall("changed_at"),
)

performance_due = sa.Table(  # prediction minutes whose performance panes changed since they were last judged
    "performance_due",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("marks", sa.BigInteger, nullable=False, server_default="1"),
)

evaluation = sa.Table(
    "evaluation",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("length", sa.Integer, nullable=False),  # minutes
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("cells_id", sa.Integer, nullable=False),
    sa.Column("spec_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("reference_id", sa.Integer, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),  # canonical JSON of WindowResult
    _wall("evaluated_at"),
    sa.UniqueConstraint("series_id", "length", "window_end", "cells_id", "spec_version", "revision"),
)

performance_evaluation = sa.Table(
    "performance_evaluation",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("spec_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("sampled", sa.BigInteger, nullable=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    sa.Column("correct", sa.BigInteger, nullable=False),
    sa.Column("mature", sa.Boolean, nullable=False),
    sa.Column("accuracy", sa.Double, nullable=True),
    sa.Column("low", sa.Double, nullable=True),
    sa.Column("high", sa.Double, nullable=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),  # canonical JSON of WindowResult
    _wall("evaluated_at"),
    sa.UniqueConstraint("series_id", "output", "length", "window_end", "spec_version", "revision"),
)

evaluated_until = sa.Table(  # the last evaluated window end per series and scale
    "evaluated_until",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
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
    _json("manifest", nullable=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("topic", "partition", "offset"),
    sa.Index(None, "model_id", "event_time"),
)

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # open, resolved
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # canonical JSON of IncidentState
    sa.Column("first_end", sa.BigInteger, nullable=False),
    sa.Column("last_end", sa.BigInteger, nullable=False),
    sa.Column("resolved_end", sa.BigInteger, nullable=True),
    sa.Column("sentence", sa.Text, nullable=False),
    _wall("opened_at"),
    _wall("changed_at"),
    sa.Index(None, "model_id", "version", "kind"),
)

transition = sa.Table(  # every step of an incident with its reason; append-only
    "transition",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    _wall("decided_at"),
    sa.Index(None, "incident_id"),
)

action = sa.Table(  # proposed retrainings and rollbacks, refused ones with their reason
    "action",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # retraining, rollback
    sa.Column("state", sa.Text, nullable=False),  # refused, dry_run, dispatching, accepted, failed, unknown, expired
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("from_version", sa.Text, nullable=False),
    sa.Column("to_version", sa.Text, nullable=True),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    _json("request"),
    _wall("decided_at"),
    sa.Index(None, "model_id", "kind"),
)

endpoint = sa.Table(
    "endpoint",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),  # model/receiver or model/action
    sa.Column("type", sa.Text, nullable=False),  # file name in alerting/receivers
    sa.Column("url", sa.Text, nullable=True),
    sa.Column("secret_env", sa.Text, nullable=True),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    _wall("broken_until", nullable=True),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # notification, action
    sa.Column("event_type", sa.Text, nullable=False),  # model.incident.opened, model.retrain.requested, …
    sa.Column("endpoint_id", sa.ForeignKey("endpoint.id"), nullable=False),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=True),
    sa.Column("action_id", sa.ForeignKey("action.id"), nullable=True),
    sa.Column("dedupe_key", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the exact bytes that are signed
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),  # pending, done, dead, expired
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _wall("next_attempt_at"),
    sa.Column("lease_owner", sa.Text, nullable=True),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
    _wall("lease_until", nullable=True),
    _wall("not_after", nullable=True),
    sa.Column("last_status", sa.Integer, nullable=True),
    sa.Column("last_error", sa.Text, nullable=True),
    _wall("created_at"),
    _wall("closed_at", nullable=True),
    sa.Index("ix_outbox_due", "next_attempt_at", postgresql_where=sa.text("state = 'pending'")),
)
