"""The soak's producers: predictions, their truths and deployments at a steady rate, honest and hostile ones mixed."""

import heapq
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from confluent_kafka import KafkaException, Producer

from tests.soak.events import PHASE_SECONDS, Record, deployment, flood, poison, prediction, truth
from tests.soak.plan import Hostile, SoakPlan

AHEAD_MILLIS = 730 * 86_400_000
FLOOD_SECONDS, FLOOD_VERSIONS = 90, 2_000
DEPLOYMENT_SECONDS = 2.0
RELEASED_AFTER = 0.8  # of the run: only then is the second version said to be deployed, after windows of it were judged
LATE_DEPLOYMENT_MILLIS = 30_000
TURN_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakTopics:
    """The input topics; of predictions one stamped by the broker and one by its producers."""

    predictions: str
    created: str
    truths: str
    deployments: str


@dataclass(order=True, slots=True)
class _Later:
    due: float
    number: int
    record: Record = field(compare=False)


class Traffic(threading.Thread):
    """Produces until `stop` is set; what it meant to send is in `sent` by kind, the topics hold what arrived."""

    def __init__(self, plan: SoakPlan, bootstrap: str, topics: SoakTopics) -> None:
        super().__init__(daemon=True, name="traffic")
        self._plan, self._topics = plan, topics
        self._draw = random.Random(plan.seed)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 10,
                "enable.idempotence": True,
                "message.timeout.ms": 600_000,
                "log_level": 0,
            }
        )
        self._later: list[_Later] = []
        self._numbers = count()
        self._flood_at = self._deployment_at = self._released_at = 0.0
        self.halt = threading.Event()
        self.sent: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._produce()
        except BaseException as failure:
            self.failure = failure
            raise

    def finish(self) -> None:
        """Stop producing and wait until the broker has everything."""
        self.halt.set()
        self.join(700)
        if self.is_alive() or self.failure is not None:
            raise AssertionError(f"the producers did not end in order: {self.failure!r}")

    def _produce(self) -> None:
        began = time.monotonic()
        self._flood_at, self._deployment_at = began + 10, began
        self._released_at = began + RELEASED_AFTER * self._plan.minutes * 60
        made = 0
        while not self.halt.is_set():
            now = time.monotonic()
            for _ in range(min(int((now - began) * self._plan.events_per_second) - made, self._plan.events_per_second)):
                self._predict(now, drifting=int(now - began) // PHASE_SECONDS % 2 == 1)
            made = int((now - began) * self._plan.events_per_second)
            self._do_what_is_due(now)
            self._producer.poll(0)
            time.sleep(TURN_SECONDS)
        while self._later:
            self._send(heapq.heappop(self._later).record)
        if left := self._producer.flush(600):
            raise KafkaException(f"{left} records never reached the broker")

    def _do_what_is_due(self, now: float) -> None:
        while self._later and self._later[0].due <= now:
            self._send(heapq.heappop(self._later).record)
        if now >= self._deployment_at:
            self._deployment_at = now + self._draw.uniform(0.5, 2 * DEPLOYMENT_SECONDS)
            self._deploy(("1.0", "2.0") if now >= self._released_at else ("1.0",))
        if Hostile.VERSIONS in self._plan.hostile and now >= self._flood_at:
            self._flood_at = now + FLOOD_SECONDS
            self._flood()

    def _predict(self, now: float, *, drifting: bool) -> None:
        draw, at = self._draw, _now_millis()
        identity = f"p-{self._plan.seed}-{next(self._numbers)}"
        event_time = at - _delay_millis(draw)
        event = prediction(draw, identity, event_time, drifting=drifting)
        topic = draw.choice((self._topics.predictions, self._topics.created))
        record = Record(topic, identity.encode(), json.dumps(event).encode(), at)
        early = draw.random() < 0.1
        self._schedule(now + draw.uniform(0.5, 8), record, "predictions") if early else self._send(record)
        self.sent["predictions"] += 1
        copies = draw.randint(1, 5) if Hostile.DUPLICATES in self._plan.hostile and draw.random() < 0.05 else 1
        for _ in range(copies - 1):
            self._schedule(now + draw.uniform(0, 5), record, "duplicates")
        for due, known_at, value in _truths(draw, now, at, early=early):
            body = json.dumps(truth(identity, known_at, value)).encode()
            self._schedule(due, Record(self._topics.truths, identity.encode(), body, at), "truths")
        for hostile in self._hostile(identity, at):
            self._send(hostile)

    def _hostile(self, identity: str, at: int) -> Iterator[Record]:
        """Yield what hostile producers write next to one honest event."""
        draw, wanted, key = self._draw, self._plan.hostile, identity.encode()
        if Hostile.POISON in wanted and draw.random() < 0.02:
            self.sent["poison"] += 1
            topic = draw.choice((self._topics.predictions, self._topics.created, self._topics.truths))
            yield Record(topic, key, poison(draw, at), at)
        if Hostile.STRANGERS in wanted and draw.random() < 0.02:
            self.sent["strangers"] += 1
            event = {**prediction(draw, identity, at, drifting=False), "model": f"nobody-{draw.randrange(5)}"}
            yield Record(draw.choice((self._topics.predictions, self._topics.created)), key, _encoded(event), at)
        if Hostile.CLOCK in wanted and draw.random() < 0.002:
            self.sent["clock ahead"] += 1
            ahead = at + AHEAD_MILLIS
            event = prediction(draw, f"ahead-{identity}", ahead, drifting=False)
            yield Record(draw.choice((self._topics.predictions, self._topics.created)), key, _encoded(event), ahead)
            yield Record(self._topics.truths, key, _encoded(truth(f"ahead-{identity}", ahead, 1)), ahead)

    def _deploy(self, versions: Sequence[str]) -> None:
        at = _now_millis()
        self.sent["deployments"] += 1
        body = _encoded(deployment(self._draw, at - self._draw.randrange(LATE_DEPLOYMENT_MILLIS), versions))
        for _ in range(self._draw.choice((1, 1, 1, 2))):
            self._send(Record(self._topics.deployments, body[:40], body, at))
        if Hostile.POISON in self._plan.hostile and self._draw.random() < 0.05:
            self.sent["poison"] += 1
            self._send(Record(self._topics.deployments, b"", b'{"model": "credit", "stage": "nowhere"}', at))

    def _flood(self) -> None:
        at = _now_millis()
        for number in range(FLOOD_VERSIONS):
            event = flood(self._draw, number, at)
            self._send(Record(self._topics.predictions, str(number).encode(), _encoded(event), at))
        self.sent["flood"] += FLOOD_VERSIONS

    def _schedule(self, due: float, record: Record, kind: str) -> None:
        if kind != "predictions":
            self.sent[kind] += 1
        heapq.heappush(self._later, _Later(due, next(self._numbers), record))

    def _send(self, record: Record) -> None:
        while True:
            try:
                self._producer.produce(record.topic, record.value, key=record.key, timestamp=record.created_at)
                return
            except BufferError:  # the broker restarts: hold the line
                self._producer.poll(0.1)


def _now_millis() -> int:
    return time.time_ns() // 1_000_000


def _encoded(event: dict[str, object]) -> bytes:
    return json.dumps(event).encode()


def _delay_millis(draw: random.Random) -> int:
    """Return how old an event is when it is sent: fresh, disordered, late but counted, or too late."""
    chance = draw.random()
    if chance < 0.9:
        return draw.randrange(0, 3_000)
    if chance < 0.97:
        return draw.randrange(0, 9_000)
    return draw.randrange(10_000, 55_000) if chance < 0.995 else draw.randrange(90_000, 300_000)


def _truths(draw: random.Random, now: float, at: int, *, early: bool) -> Iterator[tuple[float, int, int | str | None]]:
    """Yield (when it is sent, when it became known, value) of what is sent about one prediction."""
    if draw.random() < 0.3:
        return
    value: int | str = draw.choice((0, 1, "0", "1"))
    due = now + (0 if early else draw.uniform(0.2, 30))
    yield due, at, value
    chance = draw.random()
    if chance < 0.05:
        yield due + draw.uniform(0, 5), at, value  # sent twice
    elif chance < 0.12:
        yield due + draw.uniform(0, 20), at + draw.randrange(1, 60_000), draw.choice((0, 1))  # corrected
    elif chance < 0.14:
        yield due + draw.uniform(0, 20), at + 1, None  # withdrawn
    elif chance < 0.16:
        yield due + draw.uniform(0, 20), at, 1 - int(value)  # of the same moment: the later offset wins
    elif chance < 0.18:
        yield due + draw.uniform(0, 20), at - 5_000, 1 - int(value)  # outranked when it comes
