"""Who dates the records of an input topic: the broker, or the producers, whose clock may be wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("input_offset", sa.Column("timestamp_type", sa.Text(), nullable=False, server_default=""))
