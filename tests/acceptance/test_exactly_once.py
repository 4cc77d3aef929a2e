"""Every role is killed, frozen and cut off at random; the database still equals the topics, bit by bit."""

from pathlib import Path

import pytest

from tests.services.databases import fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.soak.plan import SoakPlan
from tests.soak.run import run_soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_nothing_is_lost_or_counted_twice(
    kafka_broker: KafkaBroker, postgres_server: PostgresServer, template_database: str, tmp_path: Path
) -> None:
    """The soak in short: each kind of fault, all three topics, then the recount; `make soak` runs for half an hour."""
    plan = SoakPlan(minutes=1.5, seed=23, events_per_second=200)
    with fresh_database(postgres_server, template=template_database) as url:
        report = run_soak(plan, tmp_path, broker=kafka_broker, postgres=postgres_server, database_url=url)
    figures = "\n".join(report.lines())
    assert report.is_clean, figures
    both = report.tally.kills.keys() & report.tally.restarts.keys()
    assert {"postgres", "kafka", "alerter", "maintain"} <= both, figures
    assert all(
        report.sent[kind] > 0
        for kind in ("predictions", "truths", "deployments", "duplicates", "poison", "flood", "clock ahead")
    )
    compared = {comparison.what for comparison in report.compared if comparison.expected}
    assert compared >= {"windows judged", "joined predictions", "records refused", "deployments"}, figures
