"""A real Apache Kafka broker: one node, KRaft, from its jars."""

import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.services.kafka_jars import fetch_jars
from tests.services.processes import ServiceFailed, end, free_port, last_lines, spawn

START_TIMEOUT_SECONDS = 90.0

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",  # events of tests lie in the past; none may vanish
    "log.initial.task.delay.ms": "1000",
    # one node: internal topics have one replica, and few partitions to be quick
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # a killed broker comes back only when its session in the controller has run out
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # groups react within seconds, so that tests of zombies and rebalances do too
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "1000",
}

LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
"""


class KafkaBroker:
    """One broker whose directory and address stay the same over stop, kill and restart.

    Args:
        directory: Where settings, log and data live; made if missing, reused if it holds data.
        port: TCP port on the loopback interface; a free one by default.
        heap_megabytes: Largest heap of the Java process.
        overrides: Broker settings that replace or extend SETTINGS.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        heap_megabytes: int = 512,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._heap_megabytes = heap_megabytes
        self._port = port or free_port()
        controller_port = free_port()
        self._settings = SETTINGS | {
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "log.dirs": str(directory / "data"),
            **(overrides or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "kafka.log"

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the broker on its directory and return when it answers.

        Raises:
            ServiceFailed: It ended or did not answer within START_TIMEOUT_SECONDS.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings.items()))
        self._logging.write_text(LOGGING)
        if not (self._directory / "data" / "meta.properties").exists():
            self._format()
        self._process = spawn(self._java("kafka.Kafka", str(self._properties)), log=self.log)
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut the broker down in order (SIGTERM)."""
        if self._process is not None:
            end(self._process, by=signal.SIGTERM, timeout_seconds=30)

    def kill(self) -> None:
        """End the broker at once (SIGKILL); what it had accepted is in its log."""
        if self._process is not None:
            end(self._process, by=signal.SIGKILL, timeout_seconds=30)

    def restart(self) -> None:
        """Stop in order and start again on the same directory and address."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def create_topic(self, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic and return when every partition has a leader."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin = self._admin()  # a client that is garbage while it waits would cancel its request
        admin.create_topics([topic])[name].result(30)
        self._await_partitions(name, partitions)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and return when the broker no longer lists it."""
        admin = self._admin()
        admin.delete_topics([name])[name].result(30)
        self._await_partitions(name, 0)

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    @property
    def _logging(self) -> Path:
        return self._directory / "log4j2.properties"

    def _java(self, main: str, *arguments: str) -> list[str]:
        options = [f"-Xmx{self._heap_megabytes}m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={self._logging}"]
        return ["java", *options, "-cp", f"{fetch_jars()}/*", main, *arguments]

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={self._properties}"
        )
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise ServiceFailed(f"Kafka's storage could not be formatted:\n{answer.stdout}{answer.stderr}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise ServiceFailed(f"Kafka is not running at {self.bootstrap}; its last lines:\n{last_lines(self.log)}")
        return self._process

    def _admin(self) -> AdminClient:
        # log_level 0 keeps the refused connections of a starting broker off the terminal
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        admin = self._admin()
        while time.monotonic() < deadline:
            self._running()
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        raise ServiceFailed(f"Kafka did not answer at {self.bootstrap}; its last lines:\n{last_lines(self.log)}")

    def _await_partitions(self, name: str, partitions: int) -> None:
        deadline = time.monotonic() + 30
        admin = self._admin()
        while time.monotonic() < deadline:
            topic = admin.list_topics(timeout=10).topics.get(name)
            leaders = [] if topic is None else [part for part in topic.partitions.values() if part.leader == 1]
            if len(leaders) == partitions:
                return
            time.sleep(0.05)
        raise ServiceFailed(f"topic {name} did not come to {partitions} led partitions within 30 s")
