"""The commands of `driftline reference`, in the order of its help."""

import typer

from driftline.cli.reference.adopt import adopt
from driftline.cli.reference.build import build
from driftline.cli.reference.learn import learn
from driftline.cli.reference.list import list_stored
from driftline.cli.reference.show import diff, show
from driftline.cli.reference.store import store

app = typer.Typer(
    no_args_is_help=True,
    help="Build, learn, compare and adopt references: the good times that windows are compared with.",
)
app.command()(build)
app.command()(learn)
app.command("list")(list_stored)
app.command()(show)
app.command()(diff)
app.command()(adopt)
app.command()(store)
