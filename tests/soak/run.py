"""One soak from its start to its verdict."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.oracle import counted_in_database, recount_topics
from tests.oracle_truths import recount_truths, truths_in_database
from tests.oracle_windows import judged_windows, rejudge
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.soak.compare import Compared, compare_predictions, compare_truths, compare_windows
from tests.soak.disturb import Disturber
from tests.soak.effects import compare_messages, compare_steps
from tests.soak.events import MODEL, is_flood
from tests.soak.installation import Installation
from tests.soak.plan import SoakPlan
from tests.soak.report import SoakReport
from tests.soak.settle import NotSettled, settle
from tests.soak.traffic import Traffic
from tests.soak.views import coarser, folded

WARM_UP_SECONDS = 5.0
HOUR_MINUTES = 60
"""Compaction may have put rows together up to this span: they are compared so."""


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
            compared=tuple(_compare(under_test, postgres)),
        )


def _compare(under_test: Installation, postgres: PostgresServer) -> list[Compared]:
    engine, topics, bootstrap = under_test.engine, under_test.topics, under_test.broker.bootstrap
    predictions = recount_topics(engine, bootstrap, topics.predictions, topics.created, settings=under_test.settings)
    truths = recount_truths(
        engine,
        bootstrap,
        predictions,
        truths=(topics.truths,),
        deployments=(topics.deployments,),
        settings=under_test.settings,
    )
    compared = compare_predictions(
        folded(coarser(predictions, minutes=HOUR_MINUTES), is_other=is_flood),
        folded(counted_in_database(engine, span_minutes=HOUR_MINUTES), is_other=is_flood),
    )
    compared += compare_truths(truths, truths_in_database(engine))
    newest = [row["max_event_time"] for row in predictions.partitions.values()]
    until = max(at for at in newest if at is not None) - under_test.settings.disorder_seconds * 1000
    stored = judged_windows(engine, until=until, models={MODEL})
    database = str(engine.url.database)
    engine.dispose()
    expected = rejudge(postgres, database, predictions, under_test.settings, models={MODEL})
    compared.append(compare_windows(expected.windows, stored.windows))
    return [*compared, compare_messages(under_test), compare_steps(under_test)]
