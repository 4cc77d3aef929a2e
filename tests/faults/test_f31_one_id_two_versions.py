"""F31: one prediction id under two versions is two predictions; the truth counts for both, a copy for none."""

import pytest
from sqlalchemy import Engine

from tests.faults.orders import Sent, expected_panes, live_through, orders, panes, totals
from tests.models.credit import apply_model
from tests.services.ingest import settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

pytestmark = pytest.mark.kafka
ONE, TWO = Sent(version="1.0"), Sent(version="2.0")
TRUTH = Sent(hours=1, truth=1)


def test_in_any_order_the_truth_counts_for_both_and_a_copy_is_a_duplicate(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """A shadow deployment: both versions answer the same request; one of them sends twice.

    ::

        V1 V1 V2 T | V2 T V1 V1 | T V1 V2 V1 | ...    twelve orders, joined after each step
    """
    apply_model(engine, sample_rate=1.0)
    lives = orders((ONE, ONE, TWO, TRUTH))
    assert len(lives) == 12
    live_through(engine, kafka_broker, topic_names, settings_for(database_url, kafka_broker, topic_names), lives)
    result = panes(engine)
    assert result == expected_panes(lives)
    for version in ("1.0", "2.0"):
        assert sum(labelled for (of, _, _), (labelled, _) in result.items() if of == version) == 12
    assert dict(totals(engine, topic_names.predictions)) == {
        "records": 36, "counted": 24, "duplicates": 12, "late": 0, "dead": 0,
    }  # fmt: skip
