"""Sampled predictions of a window's last step, which say whether the step's truths are in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("step_sampled", sa.BigInteger(), nullable=True))
