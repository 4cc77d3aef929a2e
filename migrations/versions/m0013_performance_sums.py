"""Sums of performance panes over 10 minutes and an hour, kept by the database whichever version writes the panes."""

from alembic import op

from migrations.brief_locks import briefly

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Written by a trigger: while the version before runs next to this one, its panes must be in the sums, too.
ADD = """
CREATE OR REPLACE FUNCTION performance_sum_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO performance_sum AS known (series_id, output, span, start, labelled, correct)
        SELECT series_id, output, span, minute - minute % (span * 60000), -sum(labelled), -sum(correct)
        FROM removed, unnest(ARRAY[10, 60]::smallint[]) AS span
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (series_id, output, span, start) DO UPDATE
        SET labelled = known.labelled + excluded.labelled, correct = known.correct + excluded.correct;
    END IF;
    INSERT INTO performance_sum AS known (series_id, output, span, start, labelled, correct)
    SELECT series_id, output, span, minute - minute % (span * 60000), sum(labelled), sum(correct)
    FROM added, unnest(ARRAY[10, 60]::smallint[]) AS span
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (series_id, output, span, start) DO UPDATE
    SET labelled = known.labelled + excluded.labelled, correct = known.correct + excluded.correct;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    briefly(
        "CREATE TABLE IF NOT EXISTS performance_sum ("
        "series_id integer NOT NULL CONSTRAINT fk_performance_sum_series_id REFERENCES series (id), "
        "output text NOT NULL, span smallint NOT NULL, start bigint NOT NULL, labelled bigint NOT NULL, "
        "correct bigint NOT NULL, CONSTRAINT pk_performance_sum PRIMARY KEY (series_id, output, span, start)); "
        "CREATE INDEX IF NOT EXISTS ix_performance_sum_start ON performance_sum (start)"
    )
    op.execute(ADD)
    # Only maintain writes panes: it waits while they are summed up, nobody else does.
    briefly(
        "LOCK TABLE performance_pane IN SHARE ROW EXCLUSIVE MODE; "
        "DELETE FROM performance_sum; "
        "INSERT INTO performance_sum (series_id, output, span, start, labelled, correct) "
        "SELECT series_id, output, span, minute - minute % (span * 60000), sum(labelled), sum(correct) "
        "FROM performance_pane, unnest(ARRAY[10, 60]::smallint[]) AS span GROUP BY 1, 2, 3, 4; "
        "CREATE OR REPLACE TRIGGER performance_pane_inserted AFTER INSERT ON performance_pane "
        "REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION performance_sum_add(); "
        "CREATE OR REPLACE TRIGGER performance_pane_updated AFTER UPDATE ON performance_pane "
        "REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION performance_sum_add()"
    )
