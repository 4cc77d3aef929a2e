"""A topic deleted and created again under its name is another log: its records get keys of their own."""

from migrations.brief_locks import add_index, briefly

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("input_offset", "dead_letter", "deployment", "dedup", "truth_inbox", "truth", "prediction_ledger")
UNIQUE = {
    "dead_letter": ("topic", "partition", "offset", "row"),
    "deployment": ("topic", "partition", "offset"),
}


def upgrade() -> None:
    for table in TABLES:
        briefly(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS incarnation integer NOT NULL DEFAULT 0")
    briefly(
        "CREATE TABLE IF NOT EXISTS topic_incarnation (topic text NOT NULL, topic_id text NOT NULL, "
        "number integer NOT NULL, CONSTRAINT pk_topic_incarnation PRIMARY KEY (topic, topic_id)); "
        "INSERT INTO topic_incarnation (topic, topic_id, number) "
        "SELECT DISTINCT topic, topic_id, 0 FROM input_offset WHERE topic_id <> '' ON CONFLICT DO NOTHING"
    )
    # Built while the version before goes on writing; what it writes is of incarnation 0, unique as before.
    for table, (topic, *columns) in UNIQUE.items():
        names = ", ".join(f'"{name}"' for name in (topic, "incarnation", *columns))
        name = f"uq_{table}_{'_'.join((topic, 'incarnation', *columns))}"
        add_index(f"key_of_{table}", f"{table} ({names})", unique=True)
        briefly(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS uq_{table}_{'_'.join((topic, *columns))}; "
            f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX key_of_{table}"
        )
    add_index("key_of_dedup", 'dedup (topic, incarnation, "partition", next_offset)', unique=True)
    briefly(
        "ALTER TABLE dedup DROP CONSTRAINT pk_dedup; "
        "ALTER TABLE dedup ADD CONSTRAINT pk_dedup PRIMARY KEY USING INDEX key_of_dedup"
    )
