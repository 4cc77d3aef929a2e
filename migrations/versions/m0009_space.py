"""Space: compact results, evaluations by week of their window, indexes for retention, zstd data stored as it is."""

import msgspec
import sqlalchemy as sa
from alembic import op

from migrations.brief_locks import add_index, briefly, validate

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WEEK_MILLIS = 7 * 86_400_000
MONDAY = 4 * 86_400_000
KEYS = {
    "evaluation": ("series_id", "length", "window_end", "cells_id", "spec_version", "revision"),
    "performance_evaluation": ("series_id", "output", "length", "window_end", "spec_version", "revision"),
}
# Eight-byte columns first: no room is lost between them.
COLUMNS = {
    "evaluation": "window_end bigint NOT NULL, events bigint NOT NULL, previous_events bigint NOT NULL, "
    "sampled bigint NOT NULL, step_sampled bigint, evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp(), "
    "series_id integer NOT NULL, length integer NOT NULL, cells_id integer NOT NULL, spec_version integer NOT NULL, "
    "reference_id integer NOT NULL, revision integer NOT NULL, verdict text NOT NULL, packed bytea, "
    "id bigint, result text",
    "performance_evaluation": "window_end bigint NOT NULL, sampled bigint NOT NULL, labelled bigint NOT NULL, "
    "correct bigint NOT NULL, accuracy double precision, low double precision, high double precision, "
    "evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp(), series_id integer NOT NULL, "
    "length integer NOT NULL, spec_version integer NOT NULL, revision integer NOT NULL, mature boolean NOT NULL, "
    "verdict text NOT NULL, output text NOT NULL, packed bytea, id bigint, result text",
}
COMPRESSED = (("pane", "counts"), ("live_block", "counts"), ("reference", "profile"), ("dedup", "hashes"))
INDEXES = {
    "ix_pane_start": "pane (start)",
    "ix_performance_pane_minute": "performance_pane (minute)",
    "ix_unseen_value_hour": "unseen_value (hour)",
    "ix_joined_minute": "joined (minute)",
    "ix_truth_settled": "truth (first_seen_at) WHERE next_probe_at IS NULL",
    "ix_flush_flushed_at": "flush (flushed_at)",
    "ix_incident_resolved": "incident (changed_at) WHERE status = 'resolved'",
    "ix_deployment_event_time": "deployment (event_time)",
    "ix_action_incident_id": "action (incident_id)",
    "ix_outbox_incident_id": "outbox (incident_id)",
    "ix_outbox_action_id": "outbox (action_id)",
    "ix_outbox_closed_at": "outbox (closed_at) WHERE closed_at IS NOT NULL",
}


def upgrade() -> None:
    for table, column in COMPRESSED:
        briefly(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for name, on in INDEXES.items():
        add_index(name, on)
    briefly("ALTER TABLE series ADD COLUMN IF NOT EXISTS empty_since timestamptz")
    briefly("ALTER TABLE model ADD COLUMN IF NOT EXISTS removing_since timestamptz")
    _name_columns()
    for table in KEYS:
        _partition(table)


def _name_columns() -> None:
    """Cells say the names of their columns without their edges, which are a thousand times as long."""
    briefly("ALTER TABLE cells ADD COLUMN IF NOT EXISTS column_names text[]")
    connection = op.get_bind()
    for (cells_id,) in connection.execute(sa.text("SELECT id FROM cells WHERE column_names IS NULL")).all():
        layout = connection.execute(sa.text("SELECT layout FROM cells WHERE id = :id"), {"id": cells_id}).scalar_one()
        names = [column["name"] for column in msgspec.msgpack.decode(layout)["columns"]]
        connection.execute(
            sa.text("UPDATE cells SET column_names = :names WHERE id = :id"), {"id": cells_id, "names": names}
        )


def _partition(table: str) -> None:
    """Make the table of that name the first partition of a new one; no row is moved, none is read under a lock.

    The version before goes on writing: its rows fall into the first partition, or, of windows that end later than a
    week from now, into the default one.
    """
    if _is_partitioned(table):
        return
    briefly(
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS packed bytea, ALTER COLUMN packed SET STORAGE EXTERNAL, "
        "ALTER COLUMN result DROP NOT NULL"
    )
    stop = _stop()
    # Only a producer's clock that was far ahead makes such windows; nothing was ever decided by them.
    op.execute(sa.text(f"DELETE FROM {table} WHERE window_end >= {stop}"))  # noqa: S608  # constants
    check = f"ck_{table}_before"
    briefly(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}; "
        f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (window_end < {stop}) NOT VALID"
    )
    validate(table, check)
    unique = _unique_constraint(table)
    before, key, foreign = f"{table}_before", ", ".join(KEYS[table]), f"fk_{table}_series_id"
    briefly(
        f"ALTER TABLE {table} RENAME TO {before}; "
        f"ALTER TABLE {before} DROP CONSTRAINT pk_{table}; "
        f"ALTER TABLE {before} ALTER COLUMN id DROP IDENTITY, ALTER COLUMN id DROP NOT NULL; "
        f'ALTER TABLE {before} RENAME CONSTRAINT "{unique}" TO uq_{before}; '
        f"CREATE TABLE {table} ({COLUMNS[table]}) PARTITION BY RANGE (window_end); "
        f"ALTER TABLE {table} ALTER COLUMN packed SET STORAGE EXTERNAL; "
        f'ALTER TABLE {table} ADD CONSTRAINT "{unique}" UNIQUE ({key}), '
        f"ADD CONSTRAINT {foreign} FOREIGN KEY (series_id) REFERENCES series (id); "
        f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({stop}); "
        f"ALTER TABLE {before} DROP CONSTRAINT {check}; "
        f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT; "
        f"CREATE INDEX ix_{table}_default_window_end ON {table}_default (window_end)"
    )


def _is_partitioned(table: str) -> bool:
    query = sa.text("SELECT relkind = 'p' FROM pg_class WHERE oid = CAST(:table AS regclass)")
    return bool(op.get_bind().execute(query, {"table": table}).scalar_one())


def _unique_constraint(table: str) -> str:
    query = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND contype = 'u'")
    return str(op.get_bind().execute(query, {"table": table}).scalar_one())


def _stop() -> int:
    """Return the first Monday (ms) that is more than a week away."""
    query = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    later = int(op.get_bind().execute(query).scalar_one()) + WEEK_MILLIS
    return (later - MONDAY) // WEEK_MILLIS * WEEK_MILLIS + MONDAY + WEEK_MILLIS
