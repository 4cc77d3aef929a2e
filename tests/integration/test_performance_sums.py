"""Sums of performance panes are those of the panes, however truths come, change and are taken back."""

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.performance.delayed_labels import PaneChange, PerformancePaneKey
from monitor.performance.expected_accuracy import labelled_by_age
from monitor.store.accuracy_evaluations import truths_by_step
from monitor.store.schema import performance_pane, performance_sum
from monitor.store.truths import change_panes
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.models.counted import START, apply_counted_model

WEEK_MINUTES = 7 * 1440


def changes(random: np.random.Generator, series_id: int, count: int) -> list[PaneChange]:
    """Return random changes, some of which take back; one per pane, as a batch of the join has them."""
    by_pane = {}
    for _ in range(count):
        minute = START + int(random.integers(0, WEEK_MINUTES)) * MINUTE_MILLIS
        key = PerformancePaneKey(series_id, "", minute, int(random.integers(0, 4)))
        by_pane[key] = PaneChange(key=key, labelled=int(random.integers(-3, 9)), correct=int(random.integers(-2, 5)))
    return list(by_pane.values())


@pytest.mark.parametrize("step_minutes", [1, 3, 5, 10, 20, 30, 45, 60, 120, 720])
def test_every_step_has_the_sums_of_its_minutes(engine: Engine, step_minutes: int) -> None:
    """Added, added to again, partly taken back: each step reads what the panes say."""
    series_id = apply_counted_model(engine).series_id
    random = np.random.default_rng(3)
    step, stop = step_minutes * MINUTE_MILLIS, START + WEEK_MINUTES * MINUTE_MILLIS
    with engine.begin() as connection:
        for _ in range(3):
            change_panes(connection, changes(random, series_id, 300))
        p = performance_pane.c
        at = p.minute - p.minute % step
        expected = connection.execute(
            sa.select(at, sa.func.sum(p.labelled), sa.func.sum(p.correct))
            .where(p.minute >= START + step, p.minute < stop - step)
            .group_by(at)
            .order_by(at)
        ).all()
        result = truths_by_step(connection, series_id=series_id, start=START + step, stop=stop - step, step=step)
    assert [(value.start, value.labelled, value.correct) for value in result] == [tuple(row) for row in expected]


@pytest.mark.parametrize("step_minutes", [1, 20, 120])
def test_steps_by_age_have_the_same_sums(engine: Engine, step_minutes: int) -> None:
    """Asked for by age, each step reads the same truths, and how many there are of each age."""
    series_id = apply_counted_model(engine).series_id
    step, stop = step_minutes * MINUTE_MILLIS, START + WEEK_MINUTES * MINUTE_MILLIS
    with engine.begin() as connection:
        change_panes(connection, changes(np.random.default_rng(4), series_id, 3000))
        whole, aged = (
            truths_by_step(connection, series_id=series_id, start=START, stop=stop, step=step, by_age=by_age)
            for by_age in (False, True)
        )
        of_ages = connection.execute(
            sa.select(performance_pane.c.age_bucket, sa.func.sum(performance_pane.c.labelled))
            .group_by(performance_pane.c.age_bucket)
            .order_by(performance_pane.c.age_bucket)
        ).all()
    assert [(value.start, value.labelled, value.correct) for value in aged] == [
        (value.start, value.labelled, value.correct) for value in whole
    ]
    assert all(sum(number for _, number in value.ages) == value.labelled for value in aged)
    assert sorted(labelled_by_age(aged).items()) == [tuple(row) for row in of_ages]


def test_a_week_is_read_from_its_hours(engine: Engine) -> None:
    """A week of minutes with truths of four ages are 40,000 panes and 168 sums of an hour."""
    series_id = apply_counted_model(engine).series_id
    fill = """
        INSERT INTO performance_pane (series_id, output, minute, age_bucket, labelled, correct)
        SELECT :series_id, '', :start + minute * 60000, age, 5, 4
        FROM generate_series(0, :minutes - 1) AS minute, generate_series(0, 3) AS age
    """
    with engine.begin() as connection:
        connection.execute(sa.text(fill), {"series_id": series_id, "start": START, "minutes": WEEK_MINUTES})
        rows = connection.execute(
            sa.select(performance_sum.c.span, sa.func.count(), sa.func.sum(performance_sum.c.labelled))
            .group_by(performance_sum.c.span)
            .order_by(performance_sum.c.span)
        ).all()
    assert [tuple(row) for row in rows] == [(10, 1008, 20 * WEEK_MINUTES), (60, 168, 20 * WEEK_MINUTES)]
    with engine.connect() as connection:
        result = truths_by_step(
            connection, series_id=series_id, start=START, stop=START + 168 * HOUR_MILLIS, step=12 * HOUR_MILLIS
        )
    assert [value.labelled for value in result] == [20 * 720] * 14
