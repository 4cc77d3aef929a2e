"""A turn costs the same whatever versions there ever were: statements and rows are counted, not seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine, event

from monitor.evaluate import EvaluationRules, Evaluator
from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.models.counted import START, CountedModel, apply_counted_model, write_pane
from tests.models.evaluated import LATENESS, RULES, SCALES, evaluate_all, move

DEAD = 500
HOURS = 6 * 60  # minutes between the last event of the dead versions and the turn that is looked at


@dataclass(slots=True)
class Cost:
    """What went over the connection."""

    statements: int = 0
    rows: int = 0


@contextmanager
def cost_of(engine: Engine) -> Iterator[Cost]:
    cost = Cost()

    def executed(
        connection: object, cursor: object, statement: str, parameters: object, context: object, many: bool
    ) -> None:
        cost.statements += len(parameters) if many else 1  # type: ignore[arg-type]
        cost.rows += max(0, cursor.rowcount)  # type: ignore[attr-defined]

    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield cost
    finally:
        event.remove(engine, "after_cursor_execute", executed)


def write_minutes(engine: Engine, counted: CountedModel, minutes: range, series_ids: list[int]) -> None:
    generator = np.random.default_rng(3)
    with engine.begin() as connection:
        for minute in minutes:
            for series_id in series_ids:
                counts = counted.counts(generator, 60)
                write_pane(connection, counted, START + minute * MINUTE_MILLIS, counts, series_id=series_id)


def cost_of_a_minute(engine: Engine, counted: CountedModel, evaluator: Evaluator) -> Cost:
    """Return what the turn of one more minute of the live version costs."""
    write_minutes(engine, counted, range(HOURS, HOURS + 30), [counted.series_id])
    move(engine, HOURS + 29)
    evaluate_all(engine, counted, evaluator)
    move(engine, HOURS + 30)
    with cost_of(engine) as cost:
        (batch,) = evaluate_all(engine, counted, evaluator)
    assert len(batch.window_ends) == 1
    return cost


def test_dead_versions_cost_nothing(engine: Engine) -> None:
    """One live version next to 500 that died: the same statements and rows as the live one alone.

    ::

        minutes   0 .. 5          360 ........ 390
        dead      x x x (500)
        live                      x x x x x x x x     <- this minute's turn
    """
    counted = apply_counted_model(engine, extra=SCALES)
    evaluator = Evaluator(RULES)
    with engine.begin() as connection:
        keys = {SeriesKey(counted.applied.model_id, f"dead-{number}") for number in range(DEAD)}
        dead = list(ensure_series(connection, keys).values())
    write_minutes(engine, counted, range(5), dead)
    move(engine, HOURS - 10)
    evaluate_all(engine, counted, evaluator)
    with_dead = cost_of_a_minute(engine, counted, evaluator)
    with engine.begin() as connection:
        for table in ("pane", "pane_mark", "revision_due", "evaluation", "scale_progress"):
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608  # a constant
        connection.execute(sa.text("DELETE FROM series WHERE version <> '1'"))
        connection.execute(sa.text("UPDATE series SET counted_from = NULL, counted_until = NULL"))
    alone = cost_of_a_minute(engine, counted, evaluator)
    assert (with_dead.statements, with_dead.rows) == (alone.statements, alone.rows)


def test_a_version_that_comes_back_is_seen(engine: Engine) -> None:
    """Dead is only what has no panes in the stretch: with the first new one it is judged again."""
    counted = apply_counted_model(engine, extra=SCALES)
    evaluator = Evaluator(EvaluationRules(watermark=RULES.watermark, revision_seconds=0))
    write_minutes(engine, counted, range(5), [counted.series_id])
    move(engine, HOURS)
    evaluate_all(engine, counted, evaluator)
    write_minutes(engine, counted, range(HOURS, HOURS + 5), [counted.series_id])
    move(engine, HOURS + 5 + LATENESS)
    window_ends = {end.window_end for batch in evaluate_all(engine, counted, evaluator) for end in batch.window_ends}
    assert START + (HOURS + 1) * MINUTE_MILLIS in window_ends
    with engine.connect() as connection:
        hours = connection.execute(sa.text("SELECT counted_from, counted_until FROM series")).one()
    assert tuple(hours) == (START, START + 7 * HOUR_MILLIS)
