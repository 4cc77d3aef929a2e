"""A model that stands still in a partition is not judged on what the others hold."""

import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import Evaluator
from monitor.result_codec import decode_result
from monitor.store.model_intake import IntakeRow, blind_spans, resume_model, save_intake, stopped_models
from monitor.store.schema import evaluation, input_offset
from monitor.types import PartitionKey
from monitor.units import MINUTE_MILLIS
from monitor.windows.blind import BlindSpan
from tests.models.counted import START, apply_counted_model
from tests.models.evaluated import RULES, SCALES, evaluate_all, move, some_panes, stored, write

KEY = PartitionKey("predictions", 0)


def reasons(engine: Engine, length: int) -> dict[int, str]:
    """Verdict, or why there is none, of each window by the minute of its end."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(evaluation).where(evaluation.c.length == length))
        return {(row.window_end - START) // MINUTE_MILLIS: row.verdict for row in rows}


def test_windows_that_reach_into_a_stop_are_inconclusive_and_say_so(engine: Engine) -> None:
    """Before it they are judged; resumed at minute 60, windows are judged again once less than a tenth is missing.

    minutes   0 ........ 40 ~~~ stopped ~~~ 60 ...... 100      windows of 4 and of 12 minutes
    """
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(100)))
    model_id = counted.applied.model_id
    move(engine, 60)
    stop = IntakeRow(
        key=KEY, model_id=model_id, stopped_reason="too many bad records", blind_since=START + 40 * MINUTE_MILLIS
    )
    with engine.begin() as connection:
        save_intake(connection, [stop])
    evaluate_all(engine, counted, Evaluator(RULES))
    verdicts = reasons(engine, 4)
    assert {minute for minute, verdict in verdicts.items() if verdict == "INCONCLUSIVE"} >= set(range(41, 60))
    assert not {minute for minute, verdict in verdicts.items() if 4 <= minute <= 40 and verdict == "INCONCLUSIVE"}
    assert "blind" in {
        decode_result(evaluation.result).reason for evaluation in stored(engine, counted) if evaluation.length == 12
    }
    with engine.begin() as connection:
        connection.execute(sa.update(input_offset).values(max_event_time=START + 60 * MINUTE_MILLIS))
        assert [stopped.reason for stopped in resume_model(connection, model_id)] == ["too many bad records"]
        assert blind_spans(connection, model_id) == (BlindSpan(START + 40 * MINUTE_MILLIS, START + 60 * MINUTE_MILLIS),)
        assert not stopped_models(connection)
    move(engine, 100)
    evaluate_all(engine, counted, Evaluator(RULES))
    verdicts = reasons(engine, 4)
    assert {minute for minute, verdict in verdicts.items() if minute > 61 and verdict == "INCONCLUSIVE"} <= {62, 63}
