"""Events that come after their windows were evaluated, from Postgres: revised, driving once, never forgotten."""

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.clock import to_datetime
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.result_codec import decode_result
from monitor.settings import Settings
from monitor.store.engine import driver_connection
from monitor.store.incidents import lock_model
from monitor.store.pane_marks import NewMark, append_marks
from monitor.store.scale_progress import read_progress, rewind_progress
from monitor.store.schema import evaluation, incident, input_offset, pane, pane_mark, revision_due, transition
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import START, CountedModel, apply_counted_model
from tests.models.evaluated import RULES, SCALES, as_minutes, brute_force, evaluate_all, move, some_panes, stored, write

LATE = 60 * 24
TEN_MINUTES = "windows: {min_events: 200, scales: [{length: 10m, step: 1m}]}\n"


def rows_of(engine: Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_events_of_an_idle_partition_are_in_the_final_revision(engine: Engine) -> None:
    """Late is decided per partition: one that was idle brings events hours after their windows were final.

    ::

        minutes   0 ................ 45            watermark 24 h later
        [0]       x x x x x x x x x x                    x
        [1]         x x (idle) . . . . . . . . . . . . .   20 21 22
    """
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(45))
    write(engine, counted, panes)
    move(engine, LATE)
    evaluator = Evaluator(RULES)
    evaluate_all(engine, counted, evaluator)
    late = some_panes(counted, [20, 21, 22], seed=2)
    write(engine, counted, late)
    evaluate_all(engine, counted, evaluator)
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, [*panes, *late], 70)
    assert (rows_of(engine, pane_mark), rows_of(engine, revision_due)) == (0, 0)


def test_equal_sums_are_no_new_revision(engine: Engine) -> None:
    """A mark whose pane the window had read already, as when the flush committed during the evaluation."""
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(45)))
    move(engine, 45)
    evaluate_all(engine, counted, Evaluator(RULES))
    before = rows_of(engine, evaluation)
    with engine.begin() as connection:
        panes = [(counted.series_id, START + 30 * MINUTE_MILLIS)]
        append_marks(driver_connection(connection), [NewMark(model_id=counted.applied.model_id, panes=panes)])
    evaluate_all(engine, counted, Evaluator(RULES))
    assert rows_of(engine, evaluation) == before
    assert (rows_of(engine, pane_mark), rows_of(engine, revision_due)) == (0, 0)


def test_a_revision_that_must_wait_is_not_forgotten(engine: Engine) -> None:
    """Within the interval nothing is stored, the minute stays due; the same events are judged when it is over."""
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(45))
    write(engine, counted, panes)
    move(engine, 45)
    patient = EvaluationRules(watermark=RULES.watermark, revision_seconds=3600)
    evaluate_all(engine, counted, Evaluator(patient))
    late = some_panes(counted, [40], seed=2)
    write(engine, counted, late)
    evaluate_all(engine, counted, Evaluator(patient))
    assert rows_of(engine, revision_due) == 1
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.max(evaluation.c.revision))).scalar() == 0
        connection.execute(sa.text("UPDATE revision_due SET due_at = due_at - interval '2 hours'"))
        connection.execute(sa.text("UPDATE evaluation SET evaluated_at = evaluated_at - interval '2 hours'"))
    evaluate_all(engine, counted, Evaluator(patient))
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, [*panes, *late], 45)
    assert rows_of(engine, revision_due) == 0


def test_windows_that_cut_into_compacted_history_say_so(engine: Engine) -> None:
    """What comes when its hour is one row can no longer be cut out of it: short windows are inconclusive, no others."""
    extra = "windows: {min_events: 50, scales: [{length: 4m, step: 1m}, {length: 2h, step: 60m}]}\n"
    counted = apply_counted_model(engine, extra=extra)
    write(engine, counted, some_panes(counted, range(180)))
    move(engine, LATE)
    evaluate_all(engine, counted, Evaluator(RULES))
    with engine.begin() as connection:  # the second hour as one row
        inside = (pane.c.start >= START + HOUR_MILLIS, pane.c.start < START + 2 * HOUR_MILLIS)
        rows = connection.execute(sa.select(pane).where(*inside)).all()
        connection.execute(sa.delete(pane).where(*inside))
        second_hour = [counts for minute, counts in some_panes(counted, range(180)) if 60 <= minute < 120]
        connection.execute(
            sa.insert(pane).values(
                series_id=counted.series_id, cells_id=rows[0].cells_id, start=START + HOUR_MILLIS, span=60,
                events=sum(row.events for row in rows), sampled=0, counts=encode_counts(np.sum(second_hour, axis=0)),
            )
        )  # fmt: skip
    write(engine, counted, some_panes(counted, [100], seed=9))
    evaluate_all(engine, counted, Evaluator(RULES))
    outcome = {key: decode_result(result).reason for key, result in as_minutes(stored(engine, counted)).items()}
    # Windows that read minute 100 and cut into the hour; the rest keeps what it was.
    compacted = {(length, end) for (length, end), reason in outcome.items() if reason == "compacted"}
    assert compacted == {(4, end) for end in range(101, 109)}
    with engine.connect() as connection:
        revised = connection.execute(
            sa.select(evaluation.c.length, evaluation.c.window_end).where(evaluation.c.revision == 1)
        )
        ends = {(row.length, (row.window_end - START) // MINUTE_MILLIS) for row in revised}
    assert ends == compacted | {(120, end) for end in (120, 180, 240)}  # none ends later with events


def test_a_burst_after_an_outage_opens_one_incident(engine: Engine) -> None:
    """Producers were away a quarter of an hour; when their drifted events come, the windows drive.

    ::

        minutes  60 ........ 90 . . . . . . . . 105   106
        counted   x x x x x x   (nothing came)         91 .. 105 at once, drifted up to 98
        windows   OK            inconclusive, or none  conclusive for the first time: one incident
    """
    counted = apply_counted_model(engine, extra=TEN_MINUTES)
    evaluator = Evaluator(EvaluationRules(watermark=WatermarkRules(), revision_seconds=60))
    for minute in range(60, 91):
        write(engine, counted, [(minute, counts_of(counted, minute, drifted=False))])
        advance(engine, counted, evaluator, minute, newest=minute)
    for minute in range(91, 106):
        advance(engine, counted, evaluator, minute, newest=90)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE evaluation SET evaluated_at = evaluated_at - interval '1 minute'"))
    assert rows_of(engine, incident) == 0
    write(engine, counted, [(minute, counts_of(counted, minute, drifted=minute < 99)) for minute in range(91, 106)])
    advance(engine, counted, evaluator, 106, newest=105)
    with engine.connect() as connection:
        (opened,) = connection.execute(sa.select(incident)).all()
        steps = connection.execute(sa.select(transition.c.step, transition.c.reason)).all()
    assert (opened.kind, opened.status) == ("drift", "open")
    assert opened.first_end <= START + 100 * MINUTE_MILLIS
    assert [step for step, _ in steps][:1] == ["opened"]


def counts_of(counted: CountedModel, minute: int, *, drifted: bool) -> npt.NDArray[np.int64]:
    counts = counted.counts(np.random.default_rng(minute), 60)
    if drifted:
        half = counted.cells // 2
        counts[:half] += counts[half : counted.cells]
        counts[half : counted.cells] = 0
    return counts


def advance(engine: Engine, counted: CountedModel, evaluator: Evaluator, minute: int, *, newest: int) -> None:
    """Let the alerter look ten seconds after *minute*, when the newest event of the live topic is of *newest*."""
    now = START + minute * MINUTE_MILLIS + 10_000
    with engine.begin() as connection:
        connection.execute(sa.delete(input_offset))
        connection.execute(
            sa.insert(input_offset).values(
                topic="predictions", partition=0, role="predictions", next_offset=1,
                max_event_time=START + newest * MINUTE_MILLIS,
                caught_up_at=to_datetime(START + newest * MINUTE_MILLIS), heartbeat_at=to_datetime(now),
            )
        )  # fmt: skip
    advance_model(engine, counted.applied, evaluator, Settings(), now_millis=now)


def test_progress_set_back_judges_what_was_passed_over(engine: Engine) -> None:
    """A clock far ahead moved the windows on; set back, they are judged as if nothing had been, and none twice."""
    counted = apply_counted_model(engine, extra=SCALES)
    panes = some_panes(counted, range(45))
    write(engine, counted, panes[:20])
    move(engine, 20)
    evaluator = Evaluator(RULES)
    evaluate_all(engine, counted, evaluator)
    move(engine, 2 * LATE)
    evaluate_all(engine, counted, evaluator)
    before = rows_of(engine, evaluation)
    with engine.begin() as connection:
        assert lock_model(connection, counted.applied.model_id)
        progress_before = read_progress(connection, counted.applied.model_id)
        rewind_progress(connection, counted.applied.model_id, to=START + 20 * MINUTE_MILLIS)
    assert {length: (scale.evaluated_until - START) // MINUTE_MILLIS for length, scale in progress_before.items()} == {
        4: 2 * LATE,
        12: 2 * LATE,
    }
    move(engine, 20)
    evaluate_all(engine, counted, evaluator)
    assert rows_of(engine, evaluation) == before
    write(engine, counted, panes[20:])
    move(engine, 44)
    evaluate_all(engine, counted, evaluator)
    assert as_minutes(stored(engine, counted)) == brute_force(engine, counted, panes, 44)
