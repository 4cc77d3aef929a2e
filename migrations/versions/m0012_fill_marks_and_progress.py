"""Carries progress over, and marks what was counted in the last day, so that it is compared once more."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_HOUR, _DAY = 3_600_000, 86_400_000

_PROGRESS = """
INSERT INTO scale_progress (model_id, length, evaluated_until, final_until)
SELECT series.model_id, old.length, max(old.window_end), coalesce(min(old.final_until), -1)
FROM evaluated_until AS old JOIN series ON series.id = old.series_id
GROUP BY series.model_id, old.length
"""

_SERIES = f"""
UPDATE series SET counted_from = found.first / {_HOUR} * {_HOUR}, counted_until = (found.last / {_HOUR} + 1) * {_HOUR}
FROM (
    SELECT id,
        (SELECT start FROM pane WHERE pane.series_id = series.id ORDER BY start LIMIT 1) AS first,
        (SELECT start FROM pane WHERE pane.series_id = series.id ORDER BY start DESC LIMIT 1) AS last
    FROM series
) AS found
WHERE found.id = series.id AND found.first IS NOT NULL
"""  # noqa: S608  # constants

_MARKS = f"""
INSERT INTO pane_mark (model_id, oldest, series_ids, starts)
SELECT series.model_id, min(recent.start), array_agg(series.id), array_agg(recent.start)
FROM (SELECT model_id, max(evaluated_until) AS until FROM scale_progress GROUP BY model_id) AS progress
JOIN series ON series.model_id = progress.model_id AND series.counted_until > progress.until - {_DAY}
CROSS JOIN LATERAL (
    SELECT DISTINCT start FROM pane
    WHERE pane.series_id = series.id AND pane.start > progress.until - {_DAY} AND pane.span = 1
) AS recent
GROUP BY series.model_id, series.id
"""  # noqa: S608  # constants


def upgrade() -> None:
    for statement in (_PROGRESS, _SERIES, _MARKS):
        op.execute(statement)
