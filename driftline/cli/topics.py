"""`driftline topics create`: the topics that Driftline reads and writes."""

from typing import Annotated

import typer

from consumers.kafka.admin import Cluster, TopicPlan, create_topics
from consumers.kafka.topics import LOG_APPEND_TIME, create_time_notice
from driftline.cli.console import AsJson, print_json, print_table
from monitor.settings import load_settings
from monitor.types import TimestampType

app = typer.Typer(no_args_is_help=True, help="Create the topics in Kafka.")


@app.callback()
def _group() -> None:
    """Keeps `create` a command of its own while it is the only one."""


@app.command()
def create(
    partitions: Annotated[
        int, typer.Option(min=1, help="Partitions of each topic: the most ingest workers that share it.")
    ] = 6,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each partition; 3 on a cluster.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Create every topic of the settings that is not there yet; those that are stay as they are.

    The broker dates the records of the input topics, so that a producer's wrong clock cannot.
    """
    settings = load_settings()
    names = (*settings.predictions_topics, *settings.truths_topics, *settings.deployments_topics)
    plans = [
        TopicPlan(name=name, partitions=partitions, replication=replication_factor, config=(LOG_APPEND_TIME,))
        for name in names
    ]
    plans.append(TopicPlan(name=settings.wakeups_topic, partitions=partitions, replication=replication_factor))
    made = create_topics(settings, plans)
    types = Cluster(settings).timestamp_types(names)
    if as_json:
        lines = [
            {"name": name, "created": created, "timestamp_type": types.get(name)} for name, created in made.items()
        ]
        print_json({"topics": lines})
        return
    rows = [(name, "created" if created else "was there", _dated_by(types.get(name))) for name, created in made.items()]
    print_table("Topics", ("topic", "", "records dated by"), rows, empty="none in the settings")
    for name, found in types.items():
        if found is TimestampType.CREATE_TIME:
            typer.echo(f"Notice: {create_time_notice(name)}")


def _dated_by(found: TimestampType | None) -> str | None:
    match found:
        case TimestampType.LOG_APPEND_TIME:
            return "the broker"
        case TimestampType.CREATE_TIME:
            return "their producers"
        case _:
            return None
