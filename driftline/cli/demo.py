"""`driftline demo`: the whole path on this machine, and a story that runs through it."""

import threading
from typing import Annotated

import typer
from rich.console import Console

from driftline.cli.exit_codes import ExitCode, leave_by_exception
from driftline.cli.output import PlainConsole, own_command, print_error, print_json_line
from driftline.demo.acts import time_line
from driftline.demo.run import STORY_START, DemoResult, run_demo
from driftline.demo.stack import EmbeddedStack
from driftline.demo.summary import print_summary, summary_document
from driftline.demo.view import StoryView

_LOOK_AGAIN = ("status", "incidents", "incidents ID", "actions", "actions ID", "partitions list", "dead-letters list")


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running afterwards, to look around.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Only one line: what came out, as JSON.")] = False,
) -> None:
    """Watch a model degrade, get noticed, explained and acted on: no Docker, no Java, no network, two minutes.

    Postgres and a broker run in a temporary directory and vanish afterwards. A made-up credit-scoring model lives
    through four acts: healthy weeks; incomes that slowly fall; a broken field; a recalibrated and a bad canary release.
    Exit code 4: an act did not end as expected.
    """
    leave_by_exception()
    console, line = PlainConsole(), time_line(STORY_START)
    view = StoryView(console, line, quiet=as_json)
    if not as_json:
        console.print("[bold]Driftline demo[/bold]: 24 days of a credit-scoring model, in event time.")

    def after(shown: DemoResult, stack: EmbeddedStack) -> None:
        if as_json:
            document = summary_document(
                shown.outcome, windows=shown.windows, seconds=shown.seconds, failed=shown.failed
            )
            print_json_line(document)
        else:
            print_summary(console, shown.outcome, line, windows=shown.windows, seconds=shown.seconds)
            _print_verdict(console, shown)
        if keep:
            _keep(PlainConsole(stderr=as_json), stack)

    shown = run_demo(view, after=after)
    if shown.failed:
        if as_json:
            print_error("\n".join(shown.failed))
        raise typer.Exit(ExitCode.STORY_FAILED)


def _print_verdict(console: Console, shown: DemoResult) -> None:
    if not shown.failed:
        console.print("[bold green]Every act ended as expected.[/bold green]", end=" ")
        console.print(f"Look around: `{own_command()} demo --keep`.", markup=False, soft_wrap=True)
        return
    console.print("[bold red]The story did not come out:[/bold red]")
    for name in shown.failed:
        console.print(f"  - {name}", markup=False, highlight=False)


def _keep(console: Console, stack: EmbeddedStack) -> None:
    """Say where everything is, and wait for Ctrl-C."""
    console.rule("Still running; Ctrl-C ends it")
    console.print(f"logs, spec, profile: {stack.directory}", highlight=False, soft_wrap=True)
    console.print("In another terminal:", highlight=False)
    for name, value in (
        ("DRIFTLINE_DATABASE_URL", stack.database_url),
        ("DRIFTLINE_KAFKA_BOOTSTRAP", stack.bootstrap),
    ):
        console.print(f"  export {name}='{value}'", markup=False, highlight=False, soft_wrap=True)
    for command in _LOOK_AGAIN:
        console.print(f"  {own_command()} {command}", markup=False, highlight=False)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Ending.")
