"""What a steady system asks for time and again is found by an index: old letters and blocks, minutes of a model due."""

from alembic import op

from migrations.brief_locks import add_index, briefly

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# The version before marks minutes without saying whose they are.
NAME_MODEL = """
CREATE OR REPLACE FUNCTION performance_due_name_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT model_id INTO NEW.model_id FROM series WHERE id = NEW.series_id;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    add_index("ix_dead_letter_recorded_at", "dead_letter (recorded_at)")
    add_index("ix_live_block_start", "live_block (start)")
    briefly("ALTER TABLE performance_due ADD COLUMN IF NOT EXISTS model_id integer")
    op.execute(NAME_MODEL)
    briefly(
        "CREATE OR REPLACE TRIGGER performance_due_named BEFORE INSERT ON performance_due "
        "FOR EACH ROW EXECUTE FUNCTION performance_due_name_model()"
    )
    op.execute(
        "UPDATE performance_due SET model_id = series.model_id FROM series "
        "WHERE series.id = performance_due.series_id AND performance_due.model_id IS NULL"
    )
    add_index("ix_performance_due_model_id_minute", "performance_due (model_id, minute)")
