"""`driftline partitions`: where each stands, and resuming a stopped one."""

from typing import Annotated

import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import opened_database
from driftline.cli.output import AsJson, print_json, print_line
from driftline.cli.rewind import rewind
from driftline.cli.status import flat_partitions, print_create_time, print_partitions
from monitor.settings import load_settings
from monitor.store.offsets import list_offsets
from monitor.store.partition_repairs import ResumeAt, account_for, paused_partitions, resume_partition
from monitor.types import PartitionKey

app = typer.Typer(no_args_is_help=True, help="Show input partitions, resume a stopped one, or set one back.")


@app.command("list")
def show(as_json: AsJson = False) -> None:
    """List every partition: its position, its newest event, what became of its records, why it stands still."""
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        partitions = list_offsets(connection)
    if as_json:
        print_json({"partitions": flat_partitions(partitions)})
    else:
        print_partitions(partitions)
        print_create_time(partitions)


@app.command()
def resume(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    partition: Annotated[int, typer.Argument(min=0, help="The partition's number.")],
    at: Annotated[
        ResumeAt,
        typer.Option(
            help="stored: where it stopped, taking a recreated topic for the old one; earliest, latest: start again at "
            "that end of the log, without memory of what was read before."
        ),
    ] = ResumeAt.STORED,
    as_json: AsJson = False,
) -> None:
    """Resume a stopped partition. Look first why it stopped: `partitions list`, `dead-letters list`.

    Bad records that are in the topic by now no longer stop it: they become dead letters.
    """
    key = PartitionKey(topic, partition)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        stopped = paused_partitions(connection)
        if key not in stopped:
            known = ", ".join(map(str, sorted(stopped))) or "none"
            raise WrongUseError(f"{key}: expected a stopped partition, found stopped: {known}")
        resume_partition(connection, topic, partition, at=at)
    if as_json:
        print_json({"topic": topic, "partition": partition, "at": at.value, "was_stopped_because": stopped[key]})
    else:
        print_line(f"{key} is resumed ({at.value}); it had stopped because: {stopped[key]}")


@app.command()
def account(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    partition: Annotated[int, typer.Argument(min=0, help="The partition's number.")],
    as_json: AsJson = False,
) -> None:
    """Write off the offsets that a partition's records do not add up to, once it is known what became of them.

    Afterwards records + holes = next - first holds again, and ingest is healthy.
    """
    key = PartitionKey(topic, partition)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        count = account_for(connection, key)
    if as_json:
        print_json({"topic": topic, "partition": partition, "written_off": count})
    else:
        print_line(f"{key}: {count:,} offsets are written off as holes; records + holes = next - first holds again")


app.command()(rewind)
