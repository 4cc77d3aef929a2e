"""Sends records at a bounded rate, and no further ahead of the workers than the broker retains."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from consumers.kafka.admin import unavailable
from consumers.kafka.producer import TopicProducer
from driftline.replay.events import TimedRecord
from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.settings import Settings
from monitor.types import PartitionKey, TopicRole

Positions = Callable[[], Mapping[PartitionKey, int]]

_LOOK_AFTER = 500  # records between two looks at rate and lag
_FLUSH_SECONDS = 60.0
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Rate limits of a replay.

    Attributes:
        records_per_second: None: as fast as it goes.
        max_lag_bytes: Most bytes of one partition that may be unread; None: never look.
    """

    records_per_second: float | None = None
    max_lag_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """How many records of each role were sent, and how long it took."""

    predictions: int
    truths: int
    deployments: int
    seconds: float


class PacedSender:
    """Sends records one after the other.

    Args:
        positions: Where the workers are; asked several times a second while there is a lag limit.
        on_progress: Called with the number of records sent so far and the event time (ms) of the last one.
        stopped: Asked now and then; True ends the sending early.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        pace: Pace,
        positions: Positions,
        on_progress: Callable[[int, int], None] = lambda count, at: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._producer = TopicProducer(settings, linger_milliseconds=20)
        self._pace = pace
        self._positions = positions
        self._on_progress = on_progress
        self._stopped = stopped
        self._topics = {
            TopicRole.PREDICTIONS: settings.predictions_topics[0],
            TopicRole.TRUTHS: settings.truths_topics[0],
            TopicRole.DEPLOYMENTS: settings.deployments_topics[0],
        }
        self._count = 0
        self._bytes = 0

    def send(self, records: Iterable[TimedRecord]) -> SendReport:
        """Send all of *records* and return when the broker has them.

        Raises:
            UnavailableError: The broker did not take them all.
        """
        started = monotonic_seconds()
        by_role = dict.fromkeys(TopicRole, 0)
        for record in records:
            if self._count % _LOOK_AFTER == 0:
                if self._stopped():
                    break
                self._wait_for_turn(started)
                self._on_progress(self._count, record.at)
            self._send(record)
            by_role[record.role] += 1
        left = self._producer.flush(_FLUSH_SECONDS)
        if left or self._producer.failures:
            raise unavailable(
                self._settings,
                "sending events",
                f"{left + self._producer.failures} of {self._count} were not taken",
                self._producer.complaints(),
            )
        return SendReport(
            predictions=by_role[TopicRole.PREDICTIONS],
            truths=by_role[TopicRole.TRUTHS],
            deployments=by_role[TopicRole.DEPLOYMENTS],
            seconds=monotonic_seconds() - started,
        )

    def _send(self, record: TimedRecord) -> None:
        topic = self._topics[record.role]
        key = record.key.encode()
        while not self._producer.send(topic, value=record.value, key=key, timestamp=record.at):
            self._producer.serve(_PAUSE_SECONDS)
        self._count += 1
        self._bytes += len(record.value) + len(key)

    def _wait_for_turn(self, started: float) -> None:
        if self._pace.records_per_second is not None:
            ahead = self._count / self._pace.records_per_second - (monotonic_seconds() - started)
            if ahead > 0:
                sleep_seconds(ahead)
        if self._pace.max_lag_bytes is None or not self._count:
            return
        # What is still on its way counts as unread too; 100 bytes a record are the log's own.
        limit = self._pace.max_lag_bytes / (self._bytes / self._count + 100)
        self._producer.serve(0)
        if self._most_unread() < limit:
            return
        self._producer.flush(_FLUSH_SECONDS)
        while self._most_unread() >= limit / 2 and not self._stopped():
            sleep_seconds(_PAUSE_SECONDS)

    def _most_unread(self) -> int:
        positions = self._positions()
        return max((end - positions.get(key, 0) for key, end in self._producer.ends.items()), default=0)
