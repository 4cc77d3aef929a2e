"""After a soak: the topics read from offset 0 and everything in the database compared with what they come to."""

from tests.oracle.panes import counted_in_database, recount_topics
from tests.oracle.truths import recount_truths, truths_in_database
from tests.oracle.windows import judged_windows, rejudge
from tests.services.postgres import PostgresServer
from tests.soak.compare import Compared, compare_predictions, compare_truths, compare_windows
from tests.soak.dead_letters import compare_refusals, sent_contents, stored_refusals
from tests.soak.effects import compare_messages, compare_steps
from tests.soak.events import MODEL, is_flood
from tests.soak.installation import Installation
from tests.soak.views import coarser, folded

HOUR_MINUTES = 60
"""Compaction may have put rows together up to this span: they are compared so."""


def compare_all(under_test: Installation, postgres: PostgresServer) -> list[Compared]:
    """Compare everything that the database holds with what the topics come to; nobody may be connected any more."""
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
    refused, refusals = predictions.dead | truths.dead, stored_refusals(engine)
    sent = sent_contents(bootstrap, refused, refusals.letters, keep_bytes=under_test.settings.dead_letter_bytes)
    compared += compare_refusals(refused, sent, refusals, under_test.settings)
    newest = [row["max_event_time"] for row in predictions.partitions.values()]
    until = max(at for at in newest if at is not None) - under_test.settings.disorder_seconds * 1000
    stored = judged_windows(engine, until=until, models={MODEL})
    database = str(engine.url.database)
    engine.dispose()
    expected = rejudge(postgres, database, predictions, under_test.settings, models={MODEL})
    compared.append(compare_windows(expected.windows, stored.windows))
    return [*compared, compare_messages(under_test), compare_steps(under_test)]
