"""Windows evaluated from the database equal brute force, whatever the batches and the order of arrival."""

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import EvaluationRules, Evaluator
from monitor.result_codec import decode_result
from monitor.store.incidents import lock_model
from monitor.store.schema import cells, evaluation, pane
from monitor.types import EvaluationKind, Scale, Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.counted import START, CountedModel, apply_counted_model
from tests.models.evaluated import (
    LATENESS,
    RULES,
    SCALES,
    as_minutes,
    brute_force,
    evaluate_all,
    move,
    some_panes,
    stored,
    write,
)


def test_every_window_equals_brute_force(engine: Engine) -> None:
    """PSI, findings and sentences of every window, through Postgres, to the byte; gaps are skipped.

    ::

        minutes  0 ........ 20    27 .. 30 ======= 60      = the first column is squeezed
    """
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, [*range(20), *range(27, 60)])
    write(engine, counted, panes)
    move(engine, 80)
    evaluate_all(engine, counted, Evaluator(RULES))
    result = stored(engine, counted)
    assert as_minutes(result) == brute_force(engine, counted, panes, 80)
    assert {value.verdict for value in result} >= {Verdict.OK, Verdict.INCONCLUSIVE, Verdict.CRITICAL}


@pytest.mark.parametrize("limit_ends", [1, 2, 7])
def test_the_batch_does_not_matter(engine: Engine, limit_ends: int) -> None:
    """Ends come in order, each once, and the bytes are those of one large batch."""
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(45))
    write(engine, counted, panes)
    move(engine, 44)
    batches = evaluate_all(engine, counted, Evaluator(RULES), limit_ends=limit_ends)
    window_ends = [end.window_end for batch in batches for end in batch.window_ends]
    assert window_ends == sorted(set(window_ends))
    assert max(len(batch.window_ends) for batch in batches) == limit_ends
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, panes, 44)


def test_late_and_shuffled_events_end_in_the_same_bytes(engine: Engine) -> None:
    """Panes split into deltas that come shuffled inside the lateness, evaluated in between: the same final bytes.

    A window drives incidents when it is conclusive for the first time, in order of end; what late events change
    afterwards is stored as revisions.
    """
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(45))
    generator = np.random.default_rng(7)
    deltas = []
    for minute, counts in panes:
        part = generator.binomial(counts, 0.6)
        deltas += [(minute, part, minute), (minute, counts - part, minute + int(generator.integers(0, LATENESS)))]
    evaluator = Evaluator(RULES)
    driven: dict[Scale, list[int]] = {}
    conclusive: set[tuple[Scale, int]] = set()
    revisions = 0
    for now in range(60):
        write(engine, counted, [(minute, part) for minute, part, arrives in deltas if arrives == now])
        move(engine, now)
        if now % 3 == 0:
            for batch in evaluate_all(engine, counted, evaluator):
                for judged in (evaluation for end in batch.window_ends for evaluation in end.evaluations):
                    revisions += judged.revision > 0
                    if judged.result.verdict is Verdict.INCONCLUSIVE:
                        assert judged.driving == (judged.revision == 0)
                        continue
                    if judged.driving:
                        assert (judged.scale, judged.window_end) not in conclusive
                        driven.setdefault(judged.scale, []).append(judged.window_end)
                    conclusive.add((judged.scale, judged.window_end))
    evaluate_all(engine, counted, evaluator)
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, panes, 59)
    assert revisions > 20
    assert all(ends == sorted(set(ends)) for ends in driven.values())


def test_a_last_revision_comes_at_finality(engine: Engine) -> None:
    """A window is not revised twice within the interval, but once more when nothing can change it any longer.

    ::

        watermark 20: evaluated -> late event at 18 -> watermark 21: too soon -> watermark 40: final, revised
    """
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(20))
    slow = EvaluationRules(watermark=RULES.watermark, revision_seconds=3600)
    write(engine, counted, panes)
    move(engine, 20)
    evaluate_all(engine, counted, Evaluator(slow))
    late = some_panes(counted, [18], seed=2)
    write(engine, counted, late)
    move(engine, 21)
    evaluate_all(engine, counted, Evaluator(slow))  # a new process: it compares, but the windows are young
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(evaluation.c.revision))).scalar() == 0
    move(engine, 40)
    evaluate_all(engine, counted, Evaluator(slow))
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, [*panes, *late], 40)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(evaluation.c.revision))).scalar() == 1


def test_a_window_is_evaluated_once(engine: Engine) -> None:
    """A second process finds nothing to do, and one of two at once gets the model."""
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(20)))
    move(engine, 20)
    evaluate_all(engine, counted, Evaluator(RULES))
    assert [batch.window_ends for batch in evaluate_all(engine, counted, Evaluator(RULES))] == [()]
    with engine.begin() as one, engine.begin() as two:
        assert lock_model(one, counted.applied.model_id)
        assert not lock_model(two, counted.applied.model_id)


def test_without_a_watermark_nothing_is_due(engine: Engine) -> None:
    """Panes alone prove nothing: what else the partition holds is not known."""
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(20)))
    (batch,) = evaluate_all(engine, counted, Evaluator(RULES))
    assert (batch.window_ends, batch.more, batch.watermark.value) == ((), False, None)


def test_new_cells_are_inconclusive_until_the_window_is_full(engine: Engine) -> None:
    """Rows on other cells are never added up: every window that holds one says why it says nothing."""
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(20)))
    with engine.begin() as connection:
        other = sa.insert(cells).values(model_id=counted.applied.model_id, digest="other", layout=b"", effective_from=0)
        other_id = connection.execute(other.returning(cells.c.id)).scalar_one()
        first_ten = pane.c.start < START + 10 * MINUTE_MILLIS
        connection.execute(sa.update(pane).where(first_ten).values(cells_id=other_id))
    counted = with_older_cells(counted, other_id)
    move(engine, 20)
    batches = evaluate_all(engine, counted, Evaluator(RULES))
    evaluations = [evaluation for batch in batches for end in batch.window_ends for evaluation in end.evaluations]
    assert {row.kind for row in evaluations} == {EvaluationKind.INPUTS}
    for row in evaluations:
        start = (row.window_end - START) // MINUTE_MILLIS - row.scale.length
        assert (row.result.reason == "new_cells") == (start < 10)


def with_older_cells(counted: CountedModel, cells_id: int) -> CountedModel:
    """Return the model as if *cells_id* had been in force before."""
    import dataclasses

    older = dataclasses.replace(counted.applied.cells[0], cells_id=cells_id)
    older = dataclasses.replace(older, layout=type(older.layout)(columns=older.layout.columns[:1]))
    applied = dataclasses.replace(counted.applied, cells=(older, *counted.applied.cells))
    return dataclasses.replace(counted, applied=applied)


def test_a_new_scale_starts_where_the_others_stand(engine: Engine) -> None:
    """History is not judged again when the spec gets another scale, and its first windows come in order."""
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(45)))
    move(engine, 30)
    evaluator = Evaluator(RULES)
    evaluate_all(engine, counted, evaluator)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM scale_progress WHERE length = 12"))
        connection.execute(sa.text("DELETE FROM evaluation WHERE length = 12"))
    move(engine, 40)
    driving = [
        evaluation
        for batch in evaluate_all(engine, counted, evaluator)
        for end in batch.window_ends
        for evaluation in end.evaluations
        if evaluation.scale == Scale(length=12, step=3) and evaluation.driving
    ]
    assert [(evaluation.window_end - START) // MINUTE_MILLIS for evaluation in driving] == [33, 36, 39]


def test_a_long_window_says_nothing_before_its_series_fills_it(engine: Engine) -> None:
    """Half a day is not judged as a day: INCONCLUSIVE with its reason until the window lies inside the series.

    ::

        first pane 00:20      02:00 first judged: [00:00, 02:00), by the hour of the first pane
        |........filling......|.............judged.............
    """
    counted = apply_counted_model(
        engine, extra="windows: {min_events: 50, scales: [{length: 1h, step: 10m}, {length: 2h, step: 10m}]}\n"
    )
    write(engine, counted, some_panes(counted, range(20, 29)) + some_panes(counted, range(31, 200), seed=2))
    move(engine, 200)
    evaluate_all(engine, counted, Evaluator(RULES))
    reasons = {
        (evaluation.length, (evaluation.window_end - START) // MINUTE_MILLIS): decode_result(evaluation.result).reason
        for evaluation in stored(engine, counted)
    }
    assert {end for (length, end), reason in reasons.items() if reason == "filling"} == set(range(30, 120, 10))
    assert {length for (length, _), reason in reasons.items() if reason == "filling"} == {120}
    assert reasons[120, 120] == ""
