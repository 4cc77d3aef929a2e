"""Events and counts: what ingest and maintain write."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_configuration")),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
        sa.UniqueConstraint(
            "topic", "partition", "offset", "row", name=op.f("uq_dead_letter_topic_partition_offset_row")
        ),
    )
    op.create_table(
        "dedup",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("offsets", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "next_offset", name=op.f("pk_dedup")),
    )
    op.create_table(
        "flush",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("ranges", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "flushed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flush")),
    )
    op.create_table(
        "input_offset",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("topic_id", sa.Text(), server_default="", nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("max_event_time", sa.BigInteger(), nullable=True),
        sa.Column("caught_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("records", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("late", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dead", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unsampled", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("extra_fields", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recent_bad", sa.LargeBinary(), nullable=True),
        sa.Column("forgiven_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_input_offset")),
    )
    op.create_table(
        "joined",
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prediction_hash", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("series_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("age_bucket", sa.SmallInteger(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "prediction_hash", "version", "output", name=op.f("pk_joined")),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("namespace", "name", name=op.f("uq_model_namespace_name")),
    )
    op.create_table(
        "prediction_ledger",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("prediction_hash", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("series_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        postgresql_partition_by="RANGE (event_time)",
    )
    op.create_index(
        op.f("ix_prediction_ledger_model_id_prediction_hash"),
        "prediction_ledger",
        ["model_id", "prediction_hash"],
        unique=False,
    )
    op.create_table(
        "truth",
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prediction_hash", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("prediction_time", sa.BigInteger(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("probes", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("next_probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("model_id", "prediction_hash", name=op.f("pk_truth")),
    )
    op.create_index(
        "ix_truth_next_probe_at",
        "truth",
        ["next_probe_at"],
        unique=False,
        postgresql_where=sa.text("next_probe_at IS NOT NULL"),
    )
    op.create_table(
        "truth_inbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("prediction_hash", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("prediction_time", sa.BigInteger(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_truth_inbox")),
    )
    op.create_table(
        "cells",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=False),
        sa.Column("effective_from", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_cells_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cells")),
        sa.UniqueConstraint("model_id", "digest", name=op.f("uq_cells_model_id_digest")),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("traffic", sa.Double(), nullable=True),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_deployment_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
        sa.UniqueConstraint("topic", "partition", "offset", name=op.f("uq_deployment_topic_partition_offset")),
    )
    op.create_index(op.f("ix_deployment_model_id_event_time"), "deployment", ["model_id", "event_time"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("segment_tag", sa.Text(), nullable=False),
        sa.Column("segment_value", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_series_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "model_id",
            "version",
            "segment_tag",
            "segment_value",
            name=op.f("uq_series_model_id_version_segment_tag_segment_value"),
        ),
    )
    op.create_table(
        "pane",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("cells_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("span", sa.SmallInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("sampled", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cells_id"], ["cells.id"], name=op.f("fk_pane_cells_id")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_pane_series_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pane")),
    )
    op.create_index(op.f("ix_pane_series_id_start"), "pane", ["series_id", "start"], unique=False)
    op.create_table(
        "performance_due",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("marks", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_performance_due_series_id")),
        sa.PrimaryKeyConstraint("series_id", "minute", name=op.f("pk_performance_due")),
    )
    op.create_table(
        "performance_pane",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("age_bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("labelled", sa.BigInteger(), nullable=False),
        sa.Column("correct", sa.BigInteger(), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_performance_pane_series_id")),
        sa.PrimaryKeyConstraint("series_id", "output", "minute", "age_bucket", name=op.f("pk_performance_pane")),
    )
    op.create_table(
        "reference",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("cells_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["cells_id"], ["cells.id"], name=op.f("fk_reference_cells_id")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_reference_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
        sa.UniqueConstraint("model_id", "digest", name=op.f("uq_reference_model_id_digest")),
    )
    op.create_table(
        "spec",
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cells_id", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column(
            "applied_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["cells_id"], ["cells.id"], name=op.f("fk_spec_cells_id")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_spec_model_id")),
        sa.ForeignKeyConstraint(["reference_id"], ["reference.id"], name=op.f("fk_spec_reference_id")),
        sa.PrimaryKeyConstraint("model_id", "version", name=op.f("pk_spec")),
    )
