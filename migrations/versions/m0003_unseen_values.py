"""Unseen values: which values a column's unseen slot held, in bounded room."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unseen_value",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.Column("merged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_unseen_value_series_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unseen_value")),
    )
    op.create_index(op.f("ix_unseen_value_series_id_hour"), "unseen_value", ["series_id", "hour"], unique=False)
    op.create_index(
        "ix_unseen_value_to_merge", "unseen_value", ["id"], unique=False, postgresql_where=sa.text("NOT merged")
    )
