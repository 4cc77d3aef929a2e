"""Open incidents are found by an index of their own: their number does not grow with those that were resolved."""

from migrations.brief_locks import add_index

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index("ix_incident_open", "incident (model_id) WHERE status = 'open'")
