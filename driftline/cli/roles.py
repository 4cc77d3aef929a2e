"""`driftline ingest`, `alerter`, `maintain` and `up`: the roles, one by one or all."""

import threading
from typing import Annotated

import typer

from consumers.kafka.settings import require_usable_client
from driftline.role import run_role
from driftline.supervisor import supervise
from monitor.health import Health
from monitor.logs import LogFormat
from monitor.settings import Settings, load_settings

LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="Log lines on stderr; auto: text on a terminal, JSON elsewhere.")
]

# Each loop is imported inside: a role does not pay for what only another one needs.


def ingest(log_format: LogFormatOption = LogFormat.AUTO) -> None:
    """Count events from Kafka into Postgres. Start as many as you like; they share the partitions."""

    def loop(settings: Settings, stop: threading.Event, health: Health) -> None:
        from consumers.worker import run_ingest

        run_ingest(settings, stop=stop, health=health)

    run_role("ingest", loop, log_format=log_format)


def alerter(log_format: LogFormatOption = LogFormat.AUTO) -> None:
    """Judge closed windows, keep incidents, send what was decided."""

    def loop(settings: Settings, stop: threading.Event, health: Health) -> None:
        from alerting.app import run_alerter

        run_alerter(settings, stop=stop, health=health)

    run_role("alerter", loop, log_format=log_format)


def maintain(log_format: LogFormatOption = LogFormat.AUTO) -> None:
    """Join truths with their predictions, compact counts, drop what is past its retention."""

    def loop(settings: Settings, stop: threading.Event, health: Health) -> None:
        from monitor.maintain import run_maintain

        run_maintain(settings, stop=stop, health=health)

    run_role("maintain", loop, log_format=log_format)


def up(
    ingest: Annotated[int, typer.Option(min=1, help="Ingest processes; they share the partitions.")] = 1,
    grace_seconds: Annotated[
        float, typer.Option(min=0, help="How long roles may take to stop before they are killed.")
    ] = 9.0,
) -> None:
    """Run ingest, alerter and maintain on this machine; restart what crashes; stop all on Ctrl-C or SIGTERM."""
    settings = load_settings()
    require_usable_client(settings)  # what is wrong for all of them is said once, not by each at every restart
    supervise(settings, ingest_workers=ingest, grace_seconds=grace_seconds)
