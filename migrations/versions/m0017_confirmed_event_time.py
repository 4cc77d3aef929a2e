"""Partitions at their end confirm up to which event time they were read; before the first time nothing is confirmed."""

from migrations.brief_locks import briefly

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    briefly("ALTER TABLE input_offset ADD COLUMN IF NOT EXISTS confirmed_event_time bigint")
