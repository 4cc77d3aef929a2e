"""F7: workers leave, die and come back every second or two while every claim waits for a far Postgres."""

from pathlib import Path

import pytest

from tests.faults.hammer import Blows, Hammer
from tests.services.kafka import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(420)]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_nothing_is_lost_or_counted_twice_in_a_storm(
    database_url: str, kafka_broker: KafkaBroker, tmp_path: Path, protocol: str
) -> None:
    """40 s of kills and restarts, then predictions, truths and deployments are compared with the topics."""
    blows = Blows(seconds=40, events_per_second=500, protocol=protocol)
    with Hammer(kafka_broker, database_url, tmp_path / "workers", blows) as hammer:
        outcome = hammer.run()
    assert outcome.kills + outcome.terminations >= 5
    assert outcome.exact, outcome
