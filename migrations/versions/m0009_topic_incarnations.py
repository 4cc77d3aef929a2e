"""A topic deleted and created again under its name is another log: its records get keys of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("input_offset", "dead_letter", "deployment", "dedup", "truth_inbox", "truth", "prediction_ledger")
UNIQUE = {
    "dead_letter": ("topic", "incarnation", "partition", "offset", "row"),
    "deployment": ("topic", "incarnation", "partition", "offset"),
}
DEDUP = ("topic", "incarnation", "partition", "next_offset")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in TABLES:
        op.add_column(table, sa.Column("incarnation", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "topic_incarnation",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "topic_id", name=op.f("pk_topic_incarnation")),
    )
    op.execute(
        "INSERT INTO topic_incarnation (topic, topic_id, number) "
        "SELECT DISTINCT topic, topic_id, 0 FROM input_offset WHERE topic_id <> ''"
    )
    # Built while the version before goes on writing; what it writes is of incarnation 0, unique as before.
    with op.get_context().autocommit_block():
        for table, columns in (*UNIQUE.items(), ("dedup", DEDUP)):
            names = ", ".join(f'"{column}"' for column in columns)
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS new_key_of_{table}")
            op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY new_key_of_{table} ON {table} ({names})")
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, columns in UNIQUE.items():
        before = "_".join(column for column in columns if column != "incarnation")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT uq_{table}_{before}")
        name = f"uq_{table}_{'_'.join(columns)}"
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX new_key_of_{table}")
    op.execute("ALTER TABLE dedup DROP CONSTRAINT pk_dedup")
    op.execute("ALTER TABLE dedup ADD CONSTRAINT pk_dedup PRIMARY KEY USING INDEX new_key_of_dedup")
