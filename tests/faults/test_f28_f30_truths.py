"""F28-F30: a truth is unknown, early, duplicate, corrected after its window closed; any order gives the final truth."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.settings import Settings
from monitor.store import schema
from monitor.types import Verdict
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.faults.orders import Sent, expected_panes, live_through, orders, panes, totals
from tests.integration.test_evaluate_performance import NOW, write_predictions, write_truths
from tests.models.alerted import action
from tests.models.counted import START, CountedModel, apply_counted_model
from tests.models.credit import apply_model
from tests.services.ingest import settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

PREDICTION = Sent(version="1.0")
FIRST, CORRECTED = Sent(hours=1, truth=0), Sent(hours=3, truth=1)
WITHDRAWN = Sent(hours=30, truth=None)
SPEC = (
    "windows: {min_events: 50, scales: [{length: 4m, step: 1m}, {length: 12m, step: 3m}]}\n"
    "accuracy: {min_truths: 20, maturity: 0.5, floor: 0.5, drop: 0.03}\n"
    "alerting: {freshness: 9999d}\n"
    f"actions: {{retraining: {action('auto', 'https://example.org/retrain')}}}\n"
)
GOOD, BAD = (20, 18), (20, 1)


@pytest.mark.kafka
def test_any_order_gives_the_final_truth(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Early, late, twice, corrected, withdrawn, in each of their orders, joined in between; and truths of nobody.

    ::

        P    prediction          T T   the same truth twice      C  its correction      W  its withdrawal
        P T T C | T P C T | C T T P | ...      P T C W | W C T P | ...      T (no prediction ever)      P (no truth)
    """
    apply_model(engine, sample_rate=1.0)
    lives = (
        *orders((PREDICTION, FIRST, FIRST, CORRECTED), (PREDICTION, FIRST, CORRECTED, WITHDRAWN)),
        *[(FIRST,)] * 5,
        *[(PREDICTION,)] * 5,
    )
    assert len(lives) == 12 + 24 + 10
    settings = settings_for(database_url, kafka_broker, topic_names)
    live_through(engine, kafka_broker, topic_names, settings, lives)
    expected = expected_panes(lives)
    assert sum(labelled for labelled, _ in expected.values()) == 12
    assert panes(engine) == expected
    assert dict(totals(engine, topic_names.predictions)) == {
        "records": 41, "counted": 41, "duplicates": 0, "late": 0, "dead": 0,
    }  # fmt: skip
    with engine.connect() as connection:
        waiting = connection.execute(sa.text("SELECT count(*) FROM truth_inbox")).scalar_one()
        looking = connection.execute(sa.text("SELECT count(*) FROM truth WHERE next_probe_at IS NOT NULL")).scalar_one()
        in_force = connection.execute(sa.text("SELECT value, count(*) FROM truth GROUP BY 1 ORDER BY 1")).all()
    assert (waiting, looking) == (0, 0)
    assert [tuple(row) for row in in_force] == [("0", 5), ("1", 12), (None, 24)]


def advance(engine: Engine, counted: CountedModel, evaluator: Evaluator) -> None:
    advance_model(engine, counted.applied, evaluator, Settings(), now_millis=NOW)


def left_by(engine: Engine) -> tuple[int, int, int]:
    """Incidents, actions that were granted, messages to be sent."""
    with engine.connect() as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (schema.incident, schema.action, schema.outbox)
        )


def test_an_old_correction_gives_a_revision_and_fires_nothing(engine: Engine) -> None:
    """Its windows are judged again, critically, and neither an incident nor an action comes of it.

    ::

        minutes   0 ........... 20 ........... 40
        truths    18 of 20 right in each minute         judged: fine
        then      ##### 1 of 20 right                   judged again: critical; nobody is called, nothing retrained
    """
    counted = apply_counted_model(engine, extra=SPEC, correct=9_000, labelled=10_000)
    write_predictions(engine, counted, 40)
    evaluator = Evaluator(EvaluationRules(watermark=WatermarkRules(), revision_seconds=0))
    write_truths(engine, counted, dict.fromkeys(range(40), GOOD), bucket=0)
    advance(engine, counted, evaluator)
    assert left_by(engine) == (0, 0, 0)
    write_truths(engine, counted, dict.fromkeys(range(12), (0, BAD[1] - GOOD[1])), bucket=1)
    advance(engine, counted, evaluator)
    with engine.connect() as connection:
        table = schema.performance_evaluation.c
        query = sa.select(table.verdict).where(table.window_end == START + 12 * MINUTE_MILLIS, table.revision == 1)
        assert set(connection.execute(query).scalars()) == {Verdict.CRITICAL.value}
    assert left_by(engine) == (0, 0, 0)


def test_the_same_truths_at_first_do_fire(engine: Engine) -> None:
    """What the test above would have seen: the newest windows are bad at their first judgement."""
    counted = apply_counted_model(engine, extra=SPEC, correct=9_000, labelled=10_000)
    write_predictions(engine, counted, 40)
    evaluator = Evaluator(EvaluationRules(watermark=WatermarkRules(), revision_seconds=0))
    write_truths(engine, counted, dict.fromkeys(range(40), BAD), bucket=0)
    advance(engine, counted, evaluator)
    incidents, actions, messages = left_by(engine)
    assert incidents == 1
    assert actions >= 1
    assert messages >= 1
