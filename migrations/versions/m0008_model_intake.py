"""How each model's records fare in each partition; whose record a dead letter is."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")  # rather again than in the way of those who count
    op.create_table(
        "model_intake",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recent_bad", sa.LargeBinary(), nullable=True),
        sa.Column("forgiven_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stopped_reason", sa.Text(), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blind_since", sa.BigInteger(), nullable=True),
        sa.Column("blind_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_model_intake_model_id")),
        sa.PrimaryKeyConstraint("topic", "partition", "model_id", name=op.f("pk_model_intake")),
    )
    op.create_index(
        "ix_model_intake_blind",
        "model_intake",
        ["model_id"],
        unique=False,
        postgresql_where=sa.text("blind_since IS NOT NULL"),
    )
    op.add_column("dead_letter", sa.Column("namespace", sa.Text(), nullable=True))
    op.add_column("dead_letter", sa.Column("model", sa.Text(), nullable=True))
