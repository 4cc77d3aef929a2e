"""A database of the version before, with its ingest still running: nothing is judged twice, nothing is forgotten."""

import sqlalchemy as sa
from sqlalchemy import Engine

from migrations.versions import m0011_marks_and_progress as marks
from migrations.versions import m0012_fill_marks_and_progress as fill
from monitor.evaluate import Evaluator
from monitor.store.migrate import upgrade
from monitor.store.schema import evaluated_until, evaluation, pane_mark, scale_progress, series
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from tests.models.counted import START, CountedModel, apply_counted_model
from tests.models.evaluated import RULES, SCALES, Panes, as_minutes, brute_force, evaluate_all, move, some_panes, stored


def flush_as_before(engine: Engine, counted: CountedModel, panes: Panes) -> None:
    """Write panes as ingest of the version before does: no mark, and a flush row that says nothing of marks."""
    statement = sa.text(
        "INSERT INTO pane (series_id, cells_id, start, span, events, sampled, counts)"
        " VALUES (:series_id, :cells_id, :start, 1, :events, 0, :counts)"
    )
    with engine.begin() as connection:
        for minute, counts in panes:
            parameters = {
                "series_id": counted.series_id,
                "cells_id": counted.applied.cells[-1].cells_id,
                "start": START + minute * MINUTE_MILLIS,
                "events": int(counts[: counted.cells].sum()),
                "counts": encode_counts(counts),
            }
            connection.execute(statement, parameters)
        connection.execute(sa.text("INSERT INTO flush (worker, ranges) VALUES ('before', '[]')"))


def take_back(engine: Engine) -> None:
    """Leave the database as the version before had it: progress per series, no marks."""
    with engine.begin() as connection:
        progress = sa.select(
            series.c.id, scale_progress.c.length, scale_progress.c.evaluated_until, scale_progress.c.final_until
        ).join(series, series.c.model_id == scale_progress.c.model_id)
        columns = ["series_id", "length", "window_end", "final_until"]
        connection.execute(sa.insert(evaluated_until).from_select(columns, progress))
        for statement in (
            "DROP TRIGGER mark_unmarked ON flush",
            "DROP FUNCTION mark_unmarked_flush()",
            "DROP TABLE pane_mark, scale_progress, revision_due",
            "ALTER TABLE series DROP COLUMN counted_from, DROP COLUMN counted_until",
            "ALTER TABLE flush DROP COLUMN marked",
        ):
            connection.execute(sa.text(statement))
        version = sa.text("UPDATE alembic_version SET version_num = :version")
        connection.execute(version, {"version": marks.down_revision})


def test_progress_is_carried_over_and_old_flushes_are_marked(engine: Engine, database_url: str) -> None:
    """Late before the migration, during it and after it: every window ends as brute force says, each judged once.

    ::

        minutes            0 ............ 30 (evaluated)     40
        version before      x x x x x x x x x   late: 25
        tables, trigger     ---------------------------  late: 27
        progress, marks     ---------------------------
        its last worker                         late: 29   31 .. 40
    """
    counted = apply_counted_model(engine, extra=SCALES)
    panes, late = some_panes(counted, range(41)), some_panes(counted, [25, 27, 29], seed=2)
    flush_as_before(engine, counted, panes[:31])
    move(engine, 30)
    evaluate_all(engine, counted, Evaluator(RULES))
    take_back(engine)
    flush_as_before(engine, counted, late[:1])
    upgrade(database_url, to=marks.revision)
    flush_as_before(engine, counted, late[1:2])
    upgrade(database_url, to=fill.revision)
    flush_as_before(engine, counted, [late[2], *panes[31:]])
    move(engine, 40)
    evaluate_all(engine, counted, Evaluator(RULES))
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, [*panes, *late], 40)
    with engine.connect() as connection:
        first = sa.select(sa.func.count()).select_from(evaluation).where(evaluation.c.revision == 0)
        assert connection.execute(first).scalar() == len(stored(engine, counted))
        assert connection.execute(sa.select(sa.func.count()).select_from(pane_mark)).scalar() == 0
