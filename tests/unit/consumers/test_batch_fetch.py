"""One batch from the client's queue: its bytes are bounded, a trickle is few batches, a full queue is read at once."""

from collections.abc import Iterator

import pytest

from consumers.kafka import batch_fetch
from consumers.kafka.batch_fetch import PAUSE_SECONDS, UnreadBody, fetch_batch
from tests.fakes.records import Bench

LIMIT = 100  # of one message's body
ROOM = 400  # of the client's queue


class FakeMessage:
    """A body, and that of another one in its place."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __len__(self) -> int:
        return len(self.body)

    def set_value(self, value: bytes) -> None:
        self.body = value

    @property
    def in_memory(self) -> int:
        return 0 if isinstance(self.body, UnreadBody) else len(self.body)


class FakeClient:
    """Hands over a log through a queue of `ROOM` bytes, which is filled while somebody waits.

    *peak*: bytes of everything handed over, as it was at the beginning of any call.
    """

    def __init__(self, log: Iterator[FakeMessage | None]) -> None:
        self.seconds = 0.0
        self.sleeps = 0
        self.calls = 0
        self.peak = 0
        self._log = log
        self._queue: list[FakeMessage] = []
        self._handed: list[FakeMessage] = []
        self.fill()

    def fill(self) -> None:
        while sum(map(len, self._queue)) < ROOM and (message := next(self._log, None)) is not None:
            self._queue.append(message)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.sleeps += 1
        self.fill()

    def consume(self, num_messages: int, timeout: float) -> list[FakeMessage]:
        self.calls += 1
        self.peak = max(self.peak, sum(message.in_memory for message in self._handed))
        batch: list[FakeMessage] = []
        while len(batch) < num_messages:
            if not self._queue and timeout > 0:
                self.fill()
            if not self._queue:
                break
            batch.append(self._queue.pop(0))
        if timeout > 0 and len(batch) < num_messages:
            self.seconds += timeout
        self._handed += batch
        self.fill()
        return batch

    def fetch(self, count: int = 5000) -> list[FakeMessage]:
        return fetch_batch(self, count, timeout_seconds=0.2, max_message_bytes=LIMIT)


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_fetch, "QUEUED_BYTES", ROOM)


def client_of(monkeypatch: pytest.MonkeyPatch, log: Iterator[FakeMessage | None]) -> FakeClient:
    client = FakeClient(log)
    monkeypatch.setattr(batch_fetch, "monotonic_seconds", lambda: client.seconds)
    monkeypatch.setattr(batch_fetch, "sleep_seconds", client.sleep)
    return client


def test_bodies_too_large_are_let_go_of_before_more_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty times the queue's room in huge messages: none of their bytes is left, their lengths are."""
    client = client_of(monkeypatch, (FakeMessage(b"x" * 4000) for _ in range(4)))
    messages = client.fetch()
    assert [len(message) for message in messages] == [4000] * 4
    assert [message.in_memory for message in messages] == [0] * 4
    assert client.peak == 0


def test_a_batch_holds_two_queues_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that never ends, of bodies just small enough: gathering stops once a queue's worth is held."""
    client = client_of(monkeypatch, (FakeMessage(b"x" * 90) for _ in range(100_000)))
    for _ in range(20):
        messages = client.fetch()
        assert ROOM <= sum(message.in_memory for message in messages) <= 2 * (ROOM + 90)
    assert client.sleeps == 0


def test_a_trickle_is_one_batch_each_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message a millisecond: a batch has those of 0.2 seconds, in a handful of calls."""
    seconds = [0.0]
    sent = 0

    def trickle() -> Iterator[FakeMessage | None]:
        nonlocal sent
        while True:
            if sent < round(seconds[0] * 1000):
                sent += 1
                yield FakeMessage(b"x")
            else:
                yield None  # for now

    client = client_of(monkeypatch, trickle())
    asleep = client.sleep

    def sleep(pause: float) -> None:
        seconds[0] += pause
        asleep(pause)

    monkeypatch.setattr(batch_fetch, "sleep_seconds", sleep)
    batches = [len(client.fetch()) for _ in range(5)]
    assert batches == [200] * 5
    assert client.calls <= 5 * (round(0.2 / PAUSE_SECONDS) + 2)


def test_what_is_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many messages as were asked for are in the queue: they are handed over at once."""
    client = client_of(monkeypatch, (FakeMessage(b"x") for _ in range(1000)))
    assert len(client.fetch(count=50)) == 50
    assert (client.calls, client.sleeps) == (1, 0)


def test_a_silent_topic_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes: the call takes as long as it may, and no longer."""
    client = client_of(monkeypatch, iter(()))
    assert client.fetch() == []
    assert client.seconds == pytest.approx(0.2)


def test_an_unread_body_is_refused_by_its_length() -> None:
    """A dead letter with the size as it came and no bytes; the batch does not count what it does not hold."""
    bench = Bench(max_message_bytes=1000)
    bench.take_bodies(UnreadBody(50_000_000), b"not json")
    too_large, malformed = bench.pending.dead_letters
    assert (too_large.reason, too_large.size, too_large.value) == ("too_large", 50_000_000, None)
    assert (malformed.reason, malformed.size) == ("malformed", 8)
    assert bench.pending.bytes == 8
    assert [tally.bytes for tally in bench.pending.refused.values()] == [50_000_000, 8]
