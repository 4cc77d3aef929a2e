"""Every command, in the order of `driftline --help`; its file is imported when it is called."""

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from driftline import __version__
from driftline.cli.exit_codes import ExitCode

HELP = """
Watches machine-learning models in production: prediction events on Kafka in; drift, delayed accuracy, alerts,
retraining and rollback requests out.

New here? `driftline demo` shows it all in two minutes, without a Kafka or Postgres of your own.

For your own: `topics create`, `migrate`, `init`, `plan`, `apply`, `up`, then `status`.
"""

EPILOGUE = f"""
Settings: the environment (DRIFTLINE_DATABASE_URL, DRIFTLINE_KAFKA_BOOTSTRAP, …) over driftline.toml.

Exit codes: {ExitCode.OK:d} ok; {ExitCode.FAILED:d} unexpected failure; {ExitCode.WRONG_USE:d} wrong use, spec or
settings; {ExitCode.UNAVAILABLE:d} a service is not reachable or its schema is not current;
{ExitCode.STORY_FAILED:d} the demo's story did not come out.
"""

_TRY, _SET_UP, _RUN, _LOOK = "Try it", "Set up", "Run", "Look and repair"


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a command is: a function of one module, or (`app`) the group of commands in it."""

    module: str
    attribute: str
    panel: str


_ENTRIES = {
    "demo": _Entry("demo", "demo", _TRY),
    "replay": _Entry("replay", "replay", _TRY),
    "backtest": _Entry("backtest", "backtest", _TRY),
    "topics": _Entry("setup", "app", _SET_UP),
    "migrate": _Entry("setup", "migrate", _SET_UP),
    "init": _Entry("init", "init", _SET_UP),
    "reference": _Entry("reference.group", "app", _SET_UP),
    "plan": _Entry("plan", "plan", _SET_UP),
    "schema": _Entry("setup", "schema", _SET_UP),
    "apply": _Entry("apply", "apply", _SET_UP),
    "up": _Entry("roles", "up", _RUN),
    "ingest": _Entry("roles", "ingest", _RUN),
    "alerter": _Entry("roles", "alerter", _RUN),
    "maintain": _Entry("roles", "maintain", _RUN),
    "status": _Entry("status", "status", _LOOK),
    "incidents": _Entry("incidents", "incidents", _LOOK),
    "actions": _Entry("actions", "actions", _LOOK),
    "hold": _Entry("holds", "hold", _LOOK),
    "release": _Entry("holds", "release", _LOOK),
    "holds": _Entry("holds", "holds", _LOOK),
    "evaluations": _Entry("evaluations", "evaluations", _LOOK),
    "models": _Entry("models", "app", _LOOK),
    "partitions": _Entry("partitions", "app", _LOOK),
    "dead-letters": _Entry("dead_letters", "app", _LOOK),
}


class _LazyCommands(typer.core.TyperGroup):
    """Imports a command's file when it is asked for, so that a role does not pay for what only `init` needs."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(_ENTRIES)

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        entry = _ENTRIES.get(cmd_name)
        if entry is None:
            for known in _ENTRIES:
                self.get_command(ctx, known)  # only commands that are loaded are suggested instead
            return None
        if cmd_name not in self.commands:
            command = getattr(import_module(f"driftline.cli.{entry.module}"), entry.attribute)
            parent = typer.Typer(rich_markup_mode="markdown", add_completion=False)
            if isinstance(command, typer.Typer):
                parent.add_typer(command, name=cmd_name, rich_help_panel=entry.panel)
            else:
                parent.command(cmd_name, rich_help_panel=entry.panel)(command)
                parent.callback()(lambda: None)  # keeps a single command a command of its group
            self.commands.update(typer.main.get_group(parent).commands)
        return self.commands[cmd_name]


app = typer.Typer(
    name="driftline",
    cls=_LazyCommands,
    help=HELP,
    epilog=EPILOGUE,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from driftline.cli.output import print_line  # imports rich, which no role needs

        print_line(f"driftline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
