"""Accuracy windows equal brute force; only the newest mature one drives an incident."""

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import EvaluationRules, Evaluator, StoredEvaluation
from monitor.store.incidents import lock_model
from monitor.store.schema import performance_due, performance_evaluation, performance_pane
from monitor.types import EvaluationKind, InconclusiveReason, Verdict
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import START, CountedModel, apply_counted_model, set_watermark, write_pane

SPEC = (
    "windows: {min_events: 50, scales: [{length: 4m, step: 1m}, {length: 12m, step: 3m}]}\n"
    "accuracy: {min_truths: 20, maturity: 0.5, floor: 0.5, drop: 0.03}\n"
)
NOW = START + 10**10
SAMPLED = 20
RULES = EvaluationRules(watermark=WatermarkRules(), revision_seconds=0)


def apply_model(engine: Engine) -> CountedModel:
    return apply_counted_model(engine, extra=SPEC, correct=9_000, labelled=10_000)


def write_predictions(engine: Engine, counted: CountedModel, minutes: int) -> None:
    generator = np.random.default_rng(1)
    with engine.begin() as connection:
        for minute in range(minutes):
            start = START + minute * MINUTE_MILLIS
            write_pane(connection, counted, start, counted.counts(generator, 60), sampled=SAMPLED)
        set_watermark(connection, START + minutes * MINUTE_MILLIS, now=NOW)


def write_truths(engine: Engine, counted: CountedModel, truths: dict[int, tuple[int, int]], *, bucket: int) -> None:
    """Add (labelled, correct) per minute, as the join does."""
    with engine.begin() as connection:
        for minute, (labelled, correct) in truths.items():
            key = {"series_id": counted.series_id, "minute": START + minute * MINUTE_MILLIS}
            connection.execute(
                sa.insert(performance_pane).values(
                    **key, output="", age_bucket=bucket, labelled=labelled, correct=correct
                )
            )
            connection.execute(sa.insert(performance_due).values(**key))


def accuracy_evaluations(engine: Engine, counted: CountedModel, evaluator: Evaluator) -> list[StoredEvaluation]:
    results: list[StoredEvaluation] = []
    more = True
    while more:
        with engine.begin() as connection:
            assert lock_model(connection, counted.applied.model_id)
            batch = evaluator.evaluate_model(connection, counted.applied, now_millis=NOW)
        results += [
            evaluation
            for end in batch.window_ends
            for evaluation in end.evaluations
            if evaluation.kind is EvaluationKind.PERFORMANCE
        ]
        more = batch.more
    return results


def last_stored(engine: Engine) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Mature windows by (length, end minute): sampled, labelled, correct of the last revision."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(performance_evaluation).order_by(performance_evaluation.c.revision))
        last = {(row.length, (row.window_end - START) // MINUTE_MILLIS): row for row in rows}
    return {key: (row.sampled, row.labelled, row.correct) for key, row in last.items() if row.mature}


def brute_force(minutes: int, *truths: dict[int, tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int, int]]:
    expected = {}
    for length, step in ((4, 1), (12, 3)):
        for end in range(step, minutes + 1, step):
            inside = range(max(0, end - length), end)
            sampled = SAMPLED * len(inside)
            labelled = sum(truth.get(minute, (0, 0))[0] for truth in truths for minute in inside)
            correct = sum(truth.get(minute, (0, 0))[1] for truth in truths for minute in inside)
            if labelled >= 20 and labelled >= 0.5 * sampled:
                expected[length, end] = (sampled, labelled, correct)
    return expected


def test_mature_windows_equal_brute_force(engine: Engine) -> None:
    """Truths in two age buckets, some before and some after their windows closed: every mature window's sums.

    ::

        minutes  0 ..... 10 ..... 20 ..... 30 ..... 40
        first    ################                         18 of 20, before the windows close
        later                    ################         after
        older        ####                                 2 more of 20, an older bucket
    """
    counted = apply_model(engine)
    first = dict.fromkeys(range(16), (18, 17))
    later = dict.fromkeys(range(16, 32), (12, 11))
    older = dict.fromkeys(range(4, 8), (2, 0))
    write_truths(engine, counted, first, bucket=0)
    write_predictions(engine, counted, 40)
    evaluator = Evaluator(RULES)
    accuracy_evaluations(engine, counted, evaluator)
    assert last_stored(engine) == brute_force(40, first)
    write_truths(engine, counted, later, bucket=1)
    accuracy_evaluations(engine, counted, evaluator)
    assert last_stored(engine) == brute_force(40, first, later)
    write_truths(engine, counted, older, bucket=5)
    accuracy_evaluations(engine, counted, evaluator)
    assert last_stored(engine) == brute_force(40, first, later, older)


def test_only_the_newest_mature_window_drives(engine: Engine) -> None:
    """Windows that mature together: the newest of each scale; one that matures after a newer one: none.

    ::

        minutes  0 ........ 20 ........ 40
        truths              ###########       drives: 40 of the 4 m, 39 of the 12 m scale
        truths   ###########                  then: nothing drives
    """
    counted = apply_model(engine)
    write_predictions(engine, counted, 40)
    evaluator = Evaluator(RULES)
    assert accuracy_evaluations(engine, counted, evaluator) == []
    write_truths(engine, counted, dict.fromkeys(range(20, 40), (20, 5)), bucket=0)
    driving = [evaluation for evaluation in accuracy_evaluations(engine, counted, evaluator) if evaluation.driving]
    assert sorted(
        (evaluation.scale.length, (evaluation.window_end - START) // MINUTE_MILLIS) for evaluation in driving
    ) == [
        (4, 40),
        (12, 39),
    ]
    assert {evaluation.result.verdict for evaluation in driving} == {Verdict.CRITICAL}
    write_truths(engine, counted, dict.fromkeys(range(20), (20, 5)), bucket=0)
    older = accuracy_evaluations(engine, counted, evaluator)
    assert older
    assert not any(evaluation.driving for evaluation in older)


def test_a_correction_gives_a_revision_that_drives_nothing(engine: Engine) -> None:
    """The window gets its next revision, and no action can come of it (F30)."""
    counted = apply_model(engine)
    write_predictions(engine, counted, 12)
    evaluator = Evaluator(RULES)
    write_truths(engine, counted, dict.fromkeys(range(12), (20, 18)), bucket=0)
    accuracy_evaluations(engine, counted, evaluator)
    write_truths(engine, counted, {11: (0, -18)}, bucket=1)
    again = accuracy_evaluations(engine, counted, evaluator)
    assert {evaluation.window_end for evaluation in again} == {START + 12 * MINUTE_MILLIS}
    assert {(evaluation.revision, evaluation.driving) for evaluation in again} == {(1, False)}
    assert accuracy_evaluations(engine, counted, evaluator) == []


def test_a_young_window_waits_for_its_revision(engine: Engine) -> None:
    """Within the interval a change is kept for later, not forgotten."""
    counted = apply_model(engine)
    write_predictions(engine, counted, 12)
    slow = Evaluator(EvaluationRules(watermark=WatermarkRules(), revision_seconds=3600))
    first = dict.fromkeys(range(12), (20, 18))
    write_truths(engine, counted, first, bucket=0)
    accuracy_evaluations(engine, counted, slow)
    more = {5: (0, -3)}
    write_truths(engine, counted, more, bucket=1)
    assert accuracy_evaluations(engine, counted, slow) == []
    accuracy_evaluations(engine, counted, Evaluator(RULES))
    assert last_stored(engine) == brute_force(12, first, more)


def test_equal_sums_of_other_steps_are_judged_again(engine: Engine) -> None:
    """Corrections that only move the errors to the end of the window change what is proven, and nothing else does.

    ::

        minutes  0 ........ 8    9    10   11
        errors   4 of 20 in each minute
        then                0    0    0    16
    """
    counted = apply_model(engine)
    write_predictions(engine, counted, 12)
    evaluator = Evaluator(RULES)
    write_truths(engine, counted, dict.fromkeys(range(12), (20, 16)), bucket=0)
    first = accuracy_evaluations(engine, counted, evaluator)
    assert {evaluation.result.verdict for evaluation in first} == {Verdict.OK}
    before = last_stored(engine)
    write_truths(engine, counted, {8: (0, 4), 9: (0, 4), 10: (0, 4), 11: (0, -12)}, bucket=1)
    again = accuracy_evaluations(engine, counted, evaluator)
    last = [evaluation for evaluation in again if evaluation.window_end == START + 12 * MINUTE_MILLIS]
    # Steps of three minutes have sixty truths, sixteen of them wrong instead of twelve: nothing new is proven.
    assert [(evaluation.scale.length, evaluation.revision, evaluation.result.verdict) for evaluation in last] == [
        (4, 1, Verdict.ALERT)
    ]
    assert last_stored(engine)[4, 12] == before[4, 12]
    with engine.begin() as connection:
        minute = START + 11 * MINUTE_MILLIS
        connection.execute(sa.insert(performance_due).values(series_id=counted.series_id, minute=minute))
    assert accuracy_evaluations(engine, counted, evaluator) == []  # looked at again, nothing to say


def test_the_newest_minute_is_not_judged_by_its_first_truths(engine: Engine) -> None:
    """Errors that are known at once, right answers only later: the minute counts when half of its truths are in.

    ::

        minutes  0 ........ 10   11
        truths   20 each         9, all wrong     then 11 more, all right
    """
    counted = apply_model(engine)
    write_predictions(engine, counted, 12)
    evaluator = Evaluator(RULES)
    write_truths(engine, counted, dict.fromkeys(range(11), (20, 18)) | {11: (9, 0)}, bucket=0)
    assert {evaluation.result.verdict for evaluation in accuracy_evaluations(engine, counted, evaluator)} == {
        Verdict.OK
    }
    write_truths(engine, counted, {11: (11, 11)}, bucket=1)
    assert {evaluation.result.verdict for evaluation in accuracy_evaluations(engine, counted, evaluator)} == {
        Verdict.OK
    }


def test_a_window_that_began_before_its_series_proves_nothing(engine: Engine) -> None:
    """Wrong from the first prediction on: the long scale waits for its first full window, the short one does not.

    ::

        minutes   0 ............ 60 ............ 120 ........... 180
        errors    16 of 20 in each minute
        10 m          critical from its first window on
        2 h       shown from the first truths on, judged from here ^ on
    """
    scales = "windows: {min_events: 50, scales: [{length: 10m, step: 5m}, {length: 2h, step: 30m}]}\n"
    accuracy = "accuracy: {min_truths: 20, maturity: 0.5}\n"
    counted = apply_counted_model(engine, extra=scales + accuracy, correct=9_000, labelled=10_000)
    write_predictions(engine, counted, 180)
    write_truths(engine, counted, dict.fromkeys(range(180), (20, 4)), bucket=0)
    judged = {
        (evaluation.scale.length, (evaluation.window_end - START) // MINUTE_MILLIS): evaluation.result
        for evaluation in accuracy_evaluations(engine, counted, Evaluator(RULES))
    }
    assert {result.verdict for (length, _), result in judged.items() if length == 10} == {Verdict.CRITICAL}
    long = {end: (result.verdict, result.reason) for (length, end), result in judged.items() if length == 120}
    filling = (Verdict.INCONCLUSIVE, InconclusiveReason.FILLING)
    full = (Verdict.CRITICAL, InconclusiveReason.CONCLUSIVE)
    assert long == {30: filling, 60: filling, 90: filling, 120: full, 150: full, 180: full}
