"""Where counting of a partition began, and the offsets that its broker has no record at: nothing passes unaccounted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("input_offset", sa.Column("first_offset", sa.BigInteger(), nullable=True))
    op.add_column("input_offset", sa.Column("skipped", sa.BigInteger(), nullable=False, server_default="0"))
    # the equation starts true; what was lost before cannot be distinguished from markers of transactions any more
    op.execute("UPDATE input_offset SET first_offset = next_offset - records WHERE next_offset >= 0")
