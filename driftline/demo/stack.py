"""Postgres and a broker without installation, in a temporary directory and this process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.kafka.embedded import EmbeddedBroker
from driftline.embedded_postgres import embedded_postgres, remove_directory
from monitor.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStack:
    """What the demo runs on; all of it is gone when it ends."""

    directory: Path
    database_url: str
    bootstrap: str


@contextmanager
def embedded_stack() -> Iterator[EmbeddedStack]:
    """Give a Postgres and a broker with the topics of the default settings."""
    directory = Path(tempfile.mkdtemp(prefix="driftline-demo-"))
    try:
        with embedded_postgres(directory / "postgres") as url:
            broker = EmbeddedBroker()
            names = Settings.model_fields
            broker.create_topics(
                [
                    *names["predictions_topics"].default,
                    *names["truths_topics"].default,
                    *names["deployments_topics"].default,
                    names["wakeups_topic"].default,
                ]
            )
            yield EmbeddedStack(directory=directory, database_url=url, bootstrap=broker.bootstrap)
    finally:
        remove_directory(directory)
