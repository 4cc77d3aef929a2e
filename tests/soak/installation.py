"""The installation under test: the roles as processes, their services, the model, and who receives its messages."""

import json
import secrets
import time
from base64 import b64encode
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow.parquet as pq
import sqlalchemy as sa
import yaml

from monitor.settings import Settings
from monitor.store.engine import make_engine
from tests.acceptance.roles import Roles
from tests.fakes.receiver import Receiver, receiver
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.processes import last_lines
from tests.services.slow_link import slow_link
from tests.services.topics import unique_topic_names
from tests.soak.events import FLOODED, MODEL, SAMPLE_RATE, SCALES, reference_table
from tests.soak.plan import SETTINGS, SoakPlan
from tests.soak.traffic import SoakTopics

COMMANDS = {
    "ingest-a": "ingest",
    "ingest-b": "ingest",
    "ingest-c": "ingest",
    "alerter": "alerter",
    "maintain": "maintain",
}
ALWAYS = ("ingest-a", "ingest-b", "alerter", "maintain")
SECRET_ENV = "DRIFTLINE_SECRET_SOAK"
STOP_SECONDS = 10.0


@dataclass
class Tally:
    """What was done to the installation, by role or service, and what it did by itself."""

    kills: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    joins: int = 0
    stopped: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    slow_stops: list[str] = field(default_factory=list)


class Installation:
    """Starts and ends the roles; everything else about them is public for the faults to act on."""

    def __init__(
        self, plan: SoakPlan, directory: Path, database_url: str, broker: KafkaBroker, postgres: PostgresServer
    ) -> None:
        names = unique_topic_names()
        self.topics = SoakTopics(
            predictions=names.predictions,
            created=f"{names.predictions}-created",
            truths=names.ground_truth,
            deployments=names.deployments,
        )
        self.broker, self.postgres, self.plan = broker, postgres, plan
        self.tally = Tally()
        self.engine: sa.Engine = make_engine(database_url)
        secret = secrets.token_bytes(24)
        self._resources = ExitStack()
        self.receiver: Receiver = self._resources.enter_context(receiver(secret))
        settings = {
            **SETTINGS,
            "DRIFTLINE_PREDICTIONS_TOPICS": json.dumps([self.topics.predictions, self.topics.created]),
            "DRIFTLINE_KAFKA_GROUP_PROTOCOL": plan.group_protocol,
            SECRET_ENV: f"whsec_{b64encode(secret).decode()}",
        }
        directory.mkdir(parents=True, exist_ok=True)
        self.roles = Roles(directory, self._url_of_roles(directory, database_url), broker.bootstrap, names, settings)
        for name in names.all():
            broker.create_topic(name, partitions=plan.partitions, config={"message.timestamp.type": "LogAppendTime"})
        broker.create_topic(self.topics.created, partitions=plan.partitions)

    @property
    def settings(self) -> Settings:
        """What decides what is counted, as the roles have it."""
        names = ("disorder_seconds", "allowed_lateness_seconds", "max_message_bytes", "idle_timeout_seconds")
        chosen: dict[str, Any] = {name: int(SETTINGS[f"DRIFTLINE_{name.upper()}"]) for name in names}
        return Settings(
            predictions_topics=(self.topics.predictions, self.topics.created),
            truths_topics=(self.topics.truths,),
            deployments_topics=(self.topics.deployments,),
            settle_seconds=float(SETTINGS["DRIFTLINE_SETTLE_SECONDS"]),
            revision_seconds=0,
            **chosen,
        )

    def __enter__(self) -> Self:
        self.roles.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.roles.__exit__(kind, error, trace)
        self._resources.close()
        self.engine.dispose()

    def _url_of_roles(self, directory: Path, database_url: str) -> str:
        """Return the address that the roles know: Postgres itself, or a slow way to it."""
        if not self.plan.postgres_delay_milliseconds:
            return database_url
        url = sa.engine.make_url(database_url)
        assert url.port is not None
        port = self._resources.enter_context(
            slow_link(url.port, milliseconds=self.plan.postgres_delay_milliseconds, log=directory / "slow_link.txt")
        )
        return url.set(port=port).render_as_string(hide_password=False)

    def apply_models(self) -> None:
        """Put the honest model and the flooded one in force, the first with a receiver and actions."""
        directory = self.roles.directory
        pq.write_table(reference_table(), directory / "past.parquet")
        for model in (MODEL, FLOODED):
            self.roles.run(
                "init", "--reference", "past.parquet", "--model", model, "--score", "score", "--truth", "repaid",
                "--segment", "region:region", "--scales", SCALES, "--sample-rate", str(SAMPLE_RATE),
            )  # fmt: skip
            path = directory / f"{model}.yaml"
            document = yaml.safe_load(path.read_text())
            if model == MODEL:
                document["alerting"] = {
                    "close_after": 1,
                    "keep_firing_for": "1m",
                    "receivers": [
                        {"name": "soak", "type": "webhook", "url": self.receiver.url, "secret_env": SECRET_ENV}
                    ],
                }
                retraining = {"mode": "auto", "url": self.receiver.url, "secret_env": SECRET_ENV, "cooldown": "1m"}
                document["actions"] = {"retraining": retraining}
            path.write_text(yaml.safe_dump(document))
            self.roles.run("apply", path.name)

    def start(self, name: str) -> None:
        self.roles.start(name, COMMANDS[name])

    def stop(self, name: str) -> None:
        """SIGTERM; one that does not end within STOP_SECONDS is noted."""
        began = time.monotonic()
        self.roles.stop(name)
        if (took := time.monotonic() - began) > STOP_SECONDS:
            self.tally.slow_stops.append(f"{name}: {took:.0f} s")

    def mend(self) -> None:
        """Start again whatever ended though nobody ended it, and note it."""
        for name, process in list(self.roles.running.items()):
            if process.poll() is not None:
                lines = last_lines(self.roles.directory / f"{name}.log", count=12)
                self.tally.crashes.append(f"{name} ended by itself with {process.returncode}:\n{lines}")
                self.start(name)

    def start_missing(self) -> None:
        """Have each role that always runs running, and none besides."""
        for name in set(self.roles.running) - set(ALWAYS):
            self.stop(name)
        for name in ALWAYS:
            if name not in self.roles.running:
                self.start(name)

    def stop_all(self) -> None:
        for name in list(self.roles.running):
            self.stop(name)

    def log_lines(self, event: str) -> int:
        """Return how often the roles logged *event*."""
        return sum(path.read_text(errors="replace").count(f'"{event}"') for path in self.roles.directory.glob("*.log"))
