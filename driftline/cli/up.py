"""`driftline up`: one of each role under a supervisor, for a small installation."""

from typing import Annotated

import typer

from driftline.supervisor import supervise
from monitor.settings import load_settings


def up(
    ingest: Annotated[int, typer.Option(min=1, help="Ingest processes; they share the partitions.")] = 1,
    grace_seconds: Annotated[
        float, typer.Option(min=0, help="How long roles may take to stop before they are killed.")
    ] = 9.0,
) -> None:
    """Run ingest, alerter and maintain on this machine; restart what crashes; stop all on Ctrl-C or SIGTERM."""
    supervise(load_settings(), ingest_workers=ingest, grace_seconds=grace_seconds)
