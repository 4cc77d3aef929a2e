"""References that are adopted, cells that come back, live time blocks of rolling references."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reference", sa.Column("base_id", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("fk_reference_base_id"), "reference", "reference", ["base_id"], ["id"])
    op.add_column("spec", sa.Column("adopted_over", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("fk_spec_adopted_over"), "spec", "reference", ["adopted_over"], ["id"])
    op.drop_constraint(op.f("uq_cells_model_id_digest"), "cells", type_="unique")
    op.create_unique_constraint(
        op.f("uq_cells_model_id_digest_effective_from"), "cells", ["model_id", "digest", "effective_from"]
    )
    op.create_table(
        "live_block",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minutes", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["reference_id"], ["reference.id"], name=op.f("fk_live_block_reference_id")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_live_block_series_id")),
        sa.PrimaryKeyConstraint("series_id", "reference_id", "minutes", "start", name=op.f("pk_live_block")),
    )
