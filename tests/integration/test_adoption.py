"""An adopted reference is judged with at the next window, by the same evaluator, and each row names its reference."""

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.errors import SpecError
from monitor.reference.profile import ReferenceProfile
from monitor.store.configuration import load_reference
from monitor.store.evaluations import stored_result
from monitor.store.schema import cells, evaluation
from monitor.store.specs import adopt_reference
from monitor.types import Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.counted import START
from tests.models.referenced import (
    ReferencedModel,
    apply_referenced_model,
    counts_of,
    evaluate_until,
    evaluator,
    profile_of,
    write_panes,
)


def write(engine: Engine, model: ReferencedModel, minutes: range, *, mean: float, seed: int = 1) -> None:
    """A hundred events a minute with this mean, on whatever cells are in force for the minute."""
    applied, random = model.applied(engine), np.random.default_rng(seed)
    with engine.begin() as connection:
        for minute in minutes:
            start = START + minute * MINUTE_MILLIS
            cells_at = applied.cells_at(start)
            panes = [(start, random.normal(mean, size=100))]
            write_panes(
                connection, series_id=model.series_id, cells_id=cells_at.cells_id, layout=cells_at.layout, panes=panes
            )


def judged(engine: Engine, *, length: int = 10) -> list[tuple[int, int, Verdict, str]]:
    """(end minute, reference id, verdict, reason), in order."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(evaluation, cells.c.column_names)
            .join(cells, cells.c.id == evaluation.c.cells_id)
            .where(evaluation.c.length == length)
            .order_by(evaluation.c.window_end)
        )
        return [
            (
                (row.window_end - START) // MINUTE_MILLIS,
                row.reference_id,
                Verdict(row.verdict),
                stored_result(row.packed, row.result, row.column_names).reason,
            )
            for row in rows
        ]


def shifted_on_same_cells(mean: float) -> tuple[ReferenceProfile, ReferenceProfile]:
    """A reference of mean 0 and one of another mean on the very same cells."""
    random = np.random.default_rng(7)
    first = profile_of(random.normal(size=20_000))
    counts = counts_of(first.layout, random.normal(mean, size=20_000))
    second = msgspec.structs.replace(first, counts_bytes=counts.astype("<i8").tobytes(), source="shifted")
    return first, second


def test_counts_change_at_the_next_window(engine: Engine) -> None:
    """A stream one sigma off is critical; with a reference of its own mean the very next window is calm.

    ::

        minute      0 ........ 40 | adopted | 41 .... 60
        reference   the first     |         | the second
        10 m        critical      |         | OK, on windows full of events from before the adoption too
    """
    first, second = shifted_on_same_cells(1.0)
    model, judge = apply_referenced_model(engine, first), evaluator()
    write(engine, model, range(60), mean=1.0)
    evaluate_until(engine, model, 40, judge)
    with engine.begin() as connection:
        adopted = adopt_reference(connection, model_id=model.model_id, profile=second)
    evaluate_until(engine, model, 60, judge)
    result = judged(engine)
    assert (adopted.changed, adopted.new_cells) == (True, False)
    assert {value[1] for value in result if value[0] <= 40} == {adopted.previous_id}
    assert {value[1:3] for value in result if value[0] > 40} == {(adopted.reference_id, Verdict.OK)}
    assert {value[2] for value in result if 20 <= value[0] <= 40} == {Verdict.CRITICAL}


def test_an_evaluation_can_be_made_again_from_its_row(engine: Engine) -> None:
    """The reference that a row names is kept as it was, whatever was adopted since."""
    first, second = shifted_on_same_cells(1.0)
    model = apply_referenced_model(engine, first)
    write(engine, model, range(30), mean=1.0)
    evaluate_until(engine, model, 30, evaluator())
    with engine.begin() as connection:
        adopt_reference(connection, model_id=model.model_id, profile=second)
        kept = load_reference(connection, judged(engine)[0][1])
    assert kept == first


def test_other_cells_are_filled_from_their_minute_on(engine: Engine) -> None:
    """Windows with panes on both cells say so; the first one full of the new ones is judged.

    ::

        minute        0 ........ 30 | 31 ........ 60
        cells         the first     | the second
        10 m          judged        | new_cells until 40, judged from 40 on
        1 h           filling ......| new_cells
    """
    random = np.random.default_rng(1)
    first, second = (profile_of(random.normal(size=20_000)) for _ in range(2))
    model, judge = apply_referenced_model(engine, first), evaluator()
    write(engine, model, range(30), mean=0.0)
    evaluate_until(engine, model, 30, judge)
    with engine.begin() as connection:
        adopted = adopt_reference(connection, model_id=model.model_id, profile=second)
        # Event time is not the wall clock here: the new cells begin at the test's minute 30.
        moved = sa.update(cells).where(cells.c.id == adopted.cells_id).values(effective_from=START + 30 * MINUTE_MILLIS)
        connection.execute(moved)
    write(engine, model, range(30, 60), mean=0.0, seed=2)
    evaluate_until(engine, model, 60, judge)
    reasons = {end: reason for end, _, _, reason in judged(engine)}
    assert {reasons[end] for end in range(31, 40)} == {"new_cells"}
    assert {reasons[end] for end in range(40, 61)} == {""}
    assert {reason for end, _, _, reason in judged(engine, length=60) if end > 30} == {"new_cells"}


def test_a_profile_of_other_columns_changes_nothing(engine: Engine) -> None:
    """Refused with the disagreement, before anything is stored."""
    model = apply_referenced_model(engine, profile_of(np.arange(500.0)))
    before = model.applied(engine)
    other = profile_of(np.arange(500.0))
    columns = tuple(msgspec.structs.replace(column, name=f"z{column.name}") for column in other.layout.columns)
    renamed = msgspec.structs.replace(other, layout=msgspec.structs.replace(other.layout, columns=columns))
    with (
        pytest.raises(SpecError, match=r"columns\.x: expected a column of the reference"),
        engine.begin() as connection,
    ):
        adopt_reference(connection, model_id=model.model_id, profile=renamed)
    assert model.applied(engine) == before
