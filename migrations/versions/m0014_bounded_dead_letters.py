"""Dead letters are bounded: what is refused is counted by hour, and only so many bytes of it are kept."""

import sqlalchemy as sa
from alembic import op

from migrations.brief_locks import add_index

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index(
        "ix_dead_letter_parked",
        "dead_letter (namespace, model, id) WHERE replayed_at IS NULL AND reason IN ('parked', 'spec_unreadable')",
    )
    op.create_table(
        "dead_letter_count",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "reason", "namespace", "model", name=op.f("pk_dead_letter_count")),
    )
    op.create_table(
        "discovered_model",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("namespace", "name", name=op.f("pk_discovered_model")),
    )
    # What was refused before was kept whole: it is counted as it lies there.
    op.execute(
        "INSERT INTO dead_letter_count SELECT date_trunc('hour', recorded_at), reason, '', '', count(*), sum(size),"
        " count(*), coalesce(sum(octet_length(value)), 0) FROM dead_letter GROUP BY 1, 2"
    )
