"""Delayed truth: ledger, inbox, the truth in force, performance panes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from monitor.store.schema.columns import metadata, wall

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
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),
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
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),
    wall("received_at"),
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
    sa.Column("incarnation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("matched", sa.Integer, nullable=False, server_default="0"),  # predictions it was joined with
    sa.Column("probes", sa.Integer, nullable=False, server_default="0"),
    wall("first_seen_at"),
    wall("next_probe_at", nullable=True),  # null: past the horizon, an orphan if nothing matched
    sa.Index("ix_truth_settled", "first_seen_at", postgresql_where=sa.text("next_probe_at IS NULL")),
    sa.Index("ix_truth_next_probe_at", "next_probe_at", postgresql_where=sa.text("next_probe_at IS NOT NULL")),
)

joined = sa.Table(  # what each joined prediction adds to the performance panes now; a correction takes it back
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
    sa.Index(None, "minute"),
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
    wall("changed_at"),
    sa.Index(None, "minute"),
)

performance_sum = (
    sa.Table(  # of the panes' truths of every age, over 10 and 60 minutes; a trigger of the panes keeps it
        "performance_sum",
        metadata,
        sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
        sa.Column("output", sa.Text, primary_key=True),
        sa.Column("span", sa.SmallInteger, primary_key=True, autoincrement=False),  # minutes
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("labelled", sa.BigInteger, nullable=False),
        sa.Column("correct", sa.BigInteger, nullable=False),
        sa.Index(None, "start"),
    )
)

performance_due = sa.Table(  # prediction minutes whose performance panes changed since they were last judged
    "performance_due",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("marks", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("model_id", sa.Integer, nullable=True),  # the series'; a trigger fills it in
    sa.Index(None, "model_id", "minute"),
)
