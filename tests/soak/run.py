"""One soak from its start to its verdict."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.soak.disturb import Disturber
from tests.soak.installation import Installation
from tests.soak.plan import SoakPlan
from tests.soak.recount import compare_all
from tests.soak.report import SoakReport
from tests.soak.settle import NotSettled, settle
from tests.soak.traffic import Traffic

WARM_UP_SECONDS = 5.0


def run_soak(
    plan: SoakPlan,
    directory: Path,
    *,
    broker: KafkaBroker,
    postgres: PostgresServer,
    database_url: str,
    say: Callable[[str], None] = print,
) -> SoakReport:
    """Disturb an installation on the migrated, empty database for the plan's minutes, then compare all it holds.

    Args:
        directory: Of the roles' logs and of the model's files.
        database_url: On *postgres*, which is restarted, as *broker* is.
    """
    with Installation(plan, directory, database_url, broker, postgres) as under_test:
        under_test.apply_models()
        traffic = Traffic(plan, broker.bootstrap, under_test.topics)
        traffic.start()
        under_test.start_missing()
        time.sleep(WARM_UP_SECONDS)
        say(f"disturbing for {plan.minutes:g} minutes, seed {plan.seed}; logs in {directory}")
        Disturber(plan, under_test).run_until(time.monotonic() + 60 * plan.minutes)
        say("the producers stop; everything drains")
        traffic.finish()
        unsettled = ""
        try:
            settle(under_test)
        except NotSettled as problem:
            unsettled = str(problem)
        under_test.stop_all()
        say("recounting the topics from offset 0")
        return SoakReport(
            plan=plan,
            sent=traffic.sent,
            tally=under_test.tally,
            fenced=under_test.log_lines("offset.fenced"),
            unsettled=unsettled,
            compared=tuple(compare_all(under_test, postgres)),
        )
