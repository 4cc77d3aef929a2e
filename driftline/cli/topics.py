"""`driftline topics create`: the topics that Driftline reads and writes."""

from typing import Annotated

import typer

from consumers.kafka import TopicPlan, create_topics
from driftline.cli.console import AsJson, print_json, print_table
from monitor.settings import load_settings

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
    """Create every topic of the settings that is not there yet; those that are stay as they are."""
    settings = load_settings()
    names = (*settings.predictions_topics, *settings.truths_topics, *settings.deployments_topics)
    plans = [
        TopicPlan(name=name, partitions=partitions, replication=replication_factor)
        for name in (*names, settings.wakeups_topic)
    ]
    made = create_topics(settings, plans)
    if as_json:
        print_json({"topics": [{"name": name, "created": created} for name, created in made.items()]})
        return
    rows = [(name, "created" if created else "was there") for name, created in made.items()]
    print_table("Topics", ("topic", ""), rows, empty="none in the settings")
