"""`driftline migrate`, `topics`: what an installation needs before the roles start."""

import json
from pathlib import Path
from typing import Annotated

import typer

from consumers.kafka.admin import Cluster, TopicPlan, create_topics
from consumers.kafka.topics import LOG_APPEND_TIME, create_time_notice
from driftline.cli.files import named_files
from driftline.cli.output import AsJson, print_json, print_json_document, print_line, print_table
from monitor.settings import load_settings
from monitor.spec.model import ModelSpec
from monitor.store.engine import make_engine, require_database, shown_url
from monitor.store.migrate import head, upgrade
from monitor.store.outage import named_outage
from monitor.types import TimestampType

app = typer.Typer(no_args_is_help=True, help="Create the topics in Kafka.")


def schema_text() -> str:
    """Return the JSON Schema of `ModelSpec`, as committed in docs/spec.schema.json."""
    return json.dumps(ModelSpec.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def schema(
    output: Annotated[Path | None, typer.Option(help="Write it here instead of to the terminal.")] = None,
) -> None:
    """Print the JSON Schema of the model spec, for editors and other tools.

    Next to a spec, under the name spec.schema.json, it is found by `driftline init`, which then writes the line that
    editors look for.
    """
    if output is None:
        print_json_document(schema_text())
    else:
        with named_files():
            output.write_text(schema_text(), encoding="utf-8")


def migrate() -> None:
    """Create or upgrade the tables in Postgres. Run it once at first and at every upgrade; twice does no harm."""
    url = load_settings().database_url
    engine = make_engine(url, pool_size=1)
    try:
        require_database(engine)
        with named_outage(engine, "migrating"):
            upgrade(url)
    finally:
        engine.dispose()
    print_line(f"{shown_url(engine.url)}: schema is {head()}")


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
    for name, kind in types.items():
        if kind is TimestampType.CREATE_TIME:
            print_line(f"Notice: {create_time_notice(name)}")


def _dated_by(kind: TimestampType | None) -> str | None:
    match kind:
        case TimestampType.LOG_APPEND_TIME:
            return "the broker"
        case TimestampType.CREATE_TIME:
            return "their producers"
        case _:
            return None
