"""Whatever is counted is in the final revision of its windows: a live run and a replay of its log end in equal bytes.

::

    partition 0   x x x x x x x x x x x x        windows close ...  |---------|---------|
    partition 1   x x                     x x    ... and what comes late, from a partition that was idle,
    partition 2         x                        ... is not late there: it is counted, and must be judged
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from consumers.flush import Flusher
from consumers.pending_counts import PendingCounts
from monitor.clock import to_datetime
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.maintain.retention import Compactor
from monitor.store.configuration import load_configuration
from monitor.store.incidents import lock_model
from monitor.store.offsets import BrokerPartition, claim_partition
from monitor.store.schema import input_offset, metadata
from monitor.store.topics import read_partitions
from monitor.types import PartitionKey, StartAt, TopicRole
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules, open_from
from tests.fakes.records import Bench, FakeRecord
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.stored import final_evaluations

PARTITIONS = 3
LONGEST = 10 * 60  # minutes of a log
FURTHEST = (
    LONGEST + 6 * 60
)  # watermark: past the last windows, and less than the day that compaction waits for idle ones
CLOCK = "clock"  # a topic that only says how far event time has come: any watermark must do
NOW = START + 10**11
SCALES = [{"length": "4m", "step": "1m"}, {"length": "30m", "step": "3m"}, {"length": "2h", "step": "20m"}]
RULES = WatermarkRules(allowed_lateness=5 * MINUTE_MILLIS)

Log = tuple[tuple[int, ...], ...]
"""Event times in minutes, by partition in offset order."""


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Partitions that advance in order with some disorder, jump over idle spells, or are not used at all."""
    results = []
    for _ in range(PARTITIONS):
        at, times = draw(st.integers(0, LONGEST // 2)), []
        for _ in range(draw(st.integers(0, 8))):
            if draw(st.integers(0, 3)) == 0:
                at += draw(st.integers(30, 240))
            at += draw(st.integers(-3, 4))
            times.append(max(0, min(at, LONGEST)))
        results.append(tuple(times))
    return tuple(results)


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(("read", "read", "flush", "evaluate", "compact")), st.integers(0, PARTITIONS - 1),
              st.integers(1, 500)),
    min_size=6,
    max_size=25,
)  # fmt: skip


@dataclass(kw_only=True)
class Run:
    """One database on its way through a log."""

    engine: Engine
    log: Log
    watermark: int = -1
    positions: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    def __post_init__(self) -> None:
        with self.engine.begin() as connection:
            kept = {"model", "cells", "reference", "spec", "configuration"}
            cleared = ", ".join(table.name for table in metadata.sorted_tables if table.name not in kept)
            connection.execute(sa.text(f"TRUNCATE {cleared}"))
            self.configuration = load_configuration(connection)
            for number in range(PARTITIONS):
                key = PartitionKey("predictions", number)
                broker_partition = BrokerPartition(key=key, role=TopicRole.PREDICTIONS, topic_id="", low=0, high=0)
                claim_partition(connection, broker_partition, start_at=StartAt.EARLIEST)
        self.model = self.configuration.models[0]
        self.bench = Bench(configured=self.configuration, partitions=PARTITIONS, allowed_lateness_seconds=300)
        self.bench.clock.now = NOW
        self.flusher = Flusher(self.engine, worker="test", horizon=100)
        self.evaluator = Evaluator(EvaluationRules(watermark=RULES, prediction_topics=(CLOCK,), revision_seconds=0))
        self.compactor = Compactor(RULES)

    def play(self, steps: list[Step]) -> None:
        for step, partition, amount in steps:
            match step:
                case "read":
                    self.read(partition, amount % 8 + 1)
                case "flush":
                    self.flush()
                case "evaluate":
                    self.evaluate(min(self.watermark + amount, FURTHEST))
                case _:
                    self.compact()
        self.finish()

    def finish(self) -> None:
        """Read what is left, and let every window become final."""
        for partition in range(PARTITIONS):
            self.read(partition, len(self.log[partition]))
        self.flush()
        self.evaluate(FURTHEST)
        self.evaluate(self.watermark + 1)

    def read(self, partition: int, count: int) -> None:
        first = self.positions[partition]
        times = self.log[partition][first : first + count]
        self.positions[partition] += len(times)
        self.bench.take(
            *(
                FakeRecord(
                    body=encoded(prediction_event(1000 * partition + first + n, at=START + minute * MINUTE_MILLIS)),
                    at=first + n,
                    of_partition=partition,
                    stamp=NOW,
                )
                for n, minute in enumerate(times)
            )
        )

    def flush(self) -> None:
        states = list(self.bench.states.values())
        if not any(state.moved for state in states):
            return
        self.flusher.flush(self.bench.pending, states, generation=self.configuration.generation)
        for state in states:
            if state.moved:
                state.mark_flushed(now=0.0)
        self.bench.pending = PendingCounts()

    def evaluate(self, watermark: int) -> None:
        self.watermark = watermark
        with self.engine.begin() as connection:
            connection.execute(sa.delete(input_offset).where(input_offset.c.topic == CLOCK))
            connection.execute(
                sa.insert(input_offset).values(
                    topic=CLOCK, partition=0, role="predictions", next_offset=1,
                    max_event_time=START + (watermark + 1) * MINUTE_MILLIS,
                    caught_up_at=to_datetime(NOW - 10**9), heartbeat_at=to_datetime(NOW),
                )
            )  # fmt: skip
        more = True
        while more:
            with self.engine.begin() as connection:
                assert lock_model(connection, self.model.model_id)
                more = self.evaluator.evaluate_model(connection, self.model, now_millis=NOW).more

    def compact(self) -> None:
        watermark = START + self.watermark * MINUTE_MILLIS
        with self.engine.connect() as connection:
            partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=("predictions",))
        may_come_from = open_from(partitions, watermark=watermark, rules=RULES)
        self.compactor.compact(self.engine, self.model, watermark=watermark, open_from=may_come_from)

    def finals(self) -> Iterator[tuple[str, ...]]:
        with self.engine.connect() as connection:
            for evaluation in final_evaluations(connection, self.model.model_id):
                minute = (evaluation.window_end - START) // MINUTE_MILLIS
                yield (f"{evaluation.segment_value} {evaluation.length}m {minute}", evaluation.result)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    log=((47, 49, 48, 52, 296), (291, 294, 297, 474, 548, 546, 600), (213, 215, 218, 220, 219, 265, 498)),
    steps=[
        ("compact", 0, 149),
        ("flush", 2, 200),
        ("evaluate", 1, 115),
        ("compact", 1, 21),
        ("flush", 1, 305),
        ("read", 0, 11),
        ("read", 0, 42),
        ("evaluate", 1, 130),
        ("evaluate", 1, 39),
        ("read", 0, 358),
        ("evaluate", 2, 344),
        ("evaluate", 2, 251),
        ("evaluate", 2, 356),
        ("evaluate", 0, 218),
        ("read", 1, 1),
        ("compact", 0, 206),
        ("flush", 1, 159),
        ("read", 1, 382),
        ("evaluate", 1, 407),
        ("compact", 1, 73),
        ("read", 0, 408),
        ("compact", 1, 87),
        ("evaluate", 0, 1),
        ("compact", 0, 151),
        ("read", 1, 379),
    ],
)
@given(log=logs(), steps=STEPS)
def test_a_live_run_and_a_replay_end_in_equal_bytes(engine: Engine, log: Log, steps: list[Step]) -> None:
    """Reading, flushing, evaluating and compacting in any order, with any watermark, or all at once: the same bytes."""
    with engine.connect() as connection:
        applied = bool(connection.execute(sa.text("SELECT count(*) FROM model")).scalar())
    if not applied:
        apply_model(engine, windows={"min_events": 2, "scales": SCALES})
    live = Run(engine=engine, log=log)
    live.play(steps)
    of_live = list(live.finals())
    replay = Run(engine=engine, log=log)
    replay.finish()
    assert of_live == list(replay.finals())
