"""An accepted rollback writes the deployment that follows from it, until an event or the stream shows another."""

from migrations.brief_locks import briefly

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    briefly(
        "ALTER TABLE deployment ADD COLUMN IF NOT EXISTS assumed_since bigint,"
        " ADD COLUMN IF NOT EXISTS contradicted_at bigint"
    )
