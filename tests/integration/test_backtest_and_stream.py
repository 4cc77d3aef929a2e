"""A backtest and the streaming path give equal bytes for every window of the same events."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import distinct_on

from consumers.batch_counting import BatchCounter
from consumers.dead_letters import DeadLetterCollector
from consumers.flush import Flusher
from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from consumers.records import batches_by_role
from consumers.telemetry import Timings
from driftline.backtest import BacktestOutcome, HistoryColumns, backtest_history, history_of, truths_of
from driftline.replay.events import (
    ReplayColumns,
    ReplayTarget,
    TimedRecord,
    in_event_time,
    prediction_records,
    truth_records,
)
from monitor.clock import now_millis
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.maintain import join_rules, join_truths
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ReferenceProfile
from monitor.result_codec import encode_result
from monitor.settings import Settings
from monitor.spec.file import parse_spec
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.store.configuration import Configuration, apply_spec, load_configuration
from monitor.store.duplicates import SeenIdentities
from monitor.store.engine import make_engine
from monitor.store.evaluations import stored_result
from monitor.store.offsets import BrokerPartition, claim_partition
from monitor.store.schema import performance_evaluation, series
from monitor.types import PartitionKey, StartAt, TopicRole
from tests.fakes.records import FakeClock, FakeRecord
from tests.oracle.stored import final_evaluations
from tests.services.databases import fresh_database
from tests.services.postgres import PostgresServer

START, ROWS, HOURS, MINUTE = 1_780_272_000_000, 5400, 6, 60_000
TRUTH_DELAY = 100 * MINUTE
SPEC = """
model: credit
task: binary_classification
reference: unused
columns: {amount: {kind: numeric}, country: {kind: categorical}, device: {kind: categorical}}
prediction: {score: true}
segments: [{tag: region, values: [eu, us]}]
windows:
  min_events: 60
  scales: [{length: 10m, step: 1m}, {length: 30m, step: 3m}, {length: 4h, step: 20m}]
accuracy: {min_truths: 40}
"""
FILES = {TopicRole.PREDICTIONS: "predictions", TopicRole.TRUTHS: "ground-truth"}
NOTHING = SeenIdentities(offsets=np.zeros(0, np.int64), hashes=np.zeros(0, np.uint64))


def drawn(seed: int, *, start: int, moved: bool) -> pa.Table:
    """Return 5,400 rows, about 15 a minute, in two versions; *moved*: amounts drift, a category and gaps appear."""
    random = np.random.default_rng(seed)
    row = np.arange(ROWS)
    late = moved & (row > ROWS // 2)
    amount = random.lognormal(3, 0.6, ROWS) * np.where(late, 1.6, 1.0)
    country = random.choice(["DE", "FR", "AT"], ROWS)
    country = np.where(late & (random.random(ROWS) < 0.05), "XX", country)
    score = random.beta(2, 4, ROWS)
    truth = (random.random(ROWS) < np.where(late, 0.5, score)).astype(int)
    return pa.table(
        {
            "at": start + np.sort(random.integers(0, HOURS * 60 * MINUTE, ROWS)),
            "id": [f"p{number % 5300}" for number in row],  # a hundred ids come a second time
            "version": np.where(row % 3 == 0, "2", "1"),
            "amount": pa.array(amount, mask=random.random(ROWS) < np.where(late, 0.1, 0.01)),
            "country": country,
            "device": pa.array(random.choice(["web", "app"], ROWS), mask=random.random(ROWS) < 0.05),
            "region": pa.array(random.choice(["eu", "us", "asia"], ROWS), mask=random.random(ROWS) < 0.1),
            "score": score,
            "y": pa.array(truth, mask=random.random(ROWS) < 0.1),
        }
    )


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    description = ReferenceDescription(
        features=(
            ("amount", ColumnKind.NUMERIC), ("country", ColumnKind.CATEGORICAL), ("device", ColumnKind.CATEGORICAL),
        ),
        score="score", truth="y", timestamp="at", lengths=(10, 30, 240),
    )  # fmt: skip
    return build_profile(drawn(1, start=START - 30 * 24 * 3_600_000, moved=False), description=description, source="t")


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return drawn(2, start=START, moved=True)


def spec() -> ModelSpec:
    return parse_spec(SPEC, source="test")


def as_events(table: pa.Table) -> Iterator[TimedRecord]:
    """Yield what the producers would have sent: each version's predictions and, later, each id's truth."""
    rows = table["version"].to_pylist()
    times = table["at"].to_numpy()
    columns = ReplayColumns(
        identity="id", features=("amount", "country", "device"), score="score", tags=(("region", "region"),)
    )
    streams = []
    for version in ("1", "2"):
        chosen = np.flatnonzero(np.array(rows) == version)
        replayed = ReplayTarget(model=spec().key, version=version)
        streams.append(
            prediction_records(table.take(pa.array(chosen)), times=times[chosen], columns=columns, replayed=replayed)
        )
    truths = truth_records(
        table["id"].to_pylist(), table["y"].to_pylist(), times=times, delay=TRUTH_DELAY, model=spec().key
    )
    return in_event_time(*streams, truths)


def stream(engine: Engine, profile: ReferenceProfile, table: pa.Table, *, batch: int, flush_every: int) -> None:
    """Take the events through ingest's decoding, decisions, counting and flush, through maintain and the evaluator."""
    with engine.begin() as connection:
        apply_spec(connection, text=SPEC, parsed=spec(), profile=profile)
    with engine.connect() as connection:
        configuration = load_configuration(connection)
    roles = {name: role for role, name in FILES.items()}
    states = _claimed(engine)
    settings = Settings.model_construct()
    clock = FakeClock(now=START + HOURS * 60 * MINUTE + TRUTH_DELAY)
    batch_counter = BatchCounter(configuration, settings, Timings(), clock, dead_letters=DeadLetterCollector(settings))
    flusher = Flusher(engine, worker="test", horizon=100_000)
    pending = PendingCounts()
    for number, records in enumerate(_batches(as_events(table), batch), 1):
        for role_batch in batches_by_role(records, roles):
            batch_counter.count(role_batch, states, pending)
        if number % flush_every == 0:
            _flush(flusher, pending, states, configuration)
            pending = PendingCounts()
    for state in states.values():
        state.end_offset = state.now.next_offset
    _flush(flusher, pending, states, configuration)
    _conclude(engine, configuration)


def _claimed(engine: Engine) -> dict[PartitionKey, PartitionState]:
    states = {}
    with engine.begin() as connection:
        for role, topic in FILES.items():
            key = PartitionKey(topic, 0)
            broker_partition = BrokerPartition(key=key, role=role, topic_id="", low=0, high=10**6)
            states[key] = PartitionState(
                claim_partition(connection, broker_partition, start_at=StartAt.EARLIEST), NOTHING, horizon=100_000
            )
    return states


def _batches(events: Iterator[TimedRecord], size: int) -> Iterator[list[FakeRecord]]:
    offsets = dict.fromkeys(FILES, 0)
    batch: list[FakeRecord] = []
    for event in events:
        batch.append(FakeRecord(body=event.value, at=offsets[event.role], of_topic=FILES[event.role], stamp=event.at))
        offsets[event.role] += 1
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def _flush(
    flusher: Flusher, pending: PendingCounts, states: dict[PartitionKey, PartitionState], configuration: Configuration
) -> None:
    flusher.flush(pending, list(states.values()), generation=configuration.generation)
    for state in states.values():
        state.mark_flushed(now=0.0)


def _conclude(engine: Engine, configuration: Configuration) -> None:
    """Join and evaluate until nothing is left, a moment after the last flush."""
    evaluator, more = Evaluator(EvaluationRules(revision_seconds=0)), True
    while more:
        with engine.begin() as connection:
            joined = join_truths(connection, rules=join_rules(configuration), now=now_millis() + 5000)
        with engine.begin() as connection:
            batch = evaluator.evaluate_model(connection, configuration.models[0], now_millis=now_millis() + 10_000)
        more = joined.more or joined.changed > 0 or batch.more or bool(batch.window_ends)


def bytes_of(engine: Engine) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the last revision of every window: of inputs, and of accuracy, each with the bytes of its result."""
    with engine.connect() as connection:
        (model,) = load_configuration(connection).models
        inputs: list[tuple[object, ...]] = [
            (e.version, e.segment_tag, e.segment_value, e.length, e.window_end, e.events, e.result)
            for e in final_evaluations(connection, model.model_id)
        ]
        p, s = performance_evaluation.c, series.c
        query = (
            sa.select(s.version, s.segment_tag, s.segment_value, p.length, p.window_end, p.sampled, p.labelled,
                      p.correct, p.accuracy, p.low, p.high, p.packed, p.result)
            .join(series, s.id == p.series_id)
            .ext(distinct_on(s.version, s.segment_tag, s.segment_value, p.length, p.window_end))
            .order_by(s.version, s.segment_tag, s.segment_value, p.length, p.window_end, p.revision.desc())
        )  # fmt: skip
        return inputs, [
            (*row[:11], encode_result(stored_result(row.packed, row.result))) for row in connection.execute(query)
        ]


Databases = Callable[[], Engine]


@pytest.fixture
def databases(postgres_server: PostgresServer, template_database: str) -> Iterator[Databases]:
    """Make as many migrated databases as are asked for."""
    made: list[tuple[object, Engine]] = []

    def another() -> Engine:
        manager = fresh_database(postgres_server, template=template_database)
        engine = make_engine(manager.__enter__())
        made.append((manager, engine))
        return engine

    yield another
    for manager, engine in made:
        engine.dispose()
        manager.__exit__(None, None, None)  # type: ignore[attr-defined]


def backtested(engine: Engine, profile: ReferenceProfile, table: pa.Table) -> BacktestOutcome:
    """Run the backtest on *engine*'s database."""
    truths = truths_of(table, identity="id", truth="y", known="at", delay_millis=TRUTH_DELAY, source="t")
    columns = HistoryColumns(timestamp="at", identity="id", version="version", score="score")
    return backtest_history(
        engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql"),
        spec=spec(),
        profile=profile,
        history=history_of(table, spec=spec(), layout=profile.layout, columns=columns, source="history"),
        truths=truths,
        textbook=True,
    )


@pytest.mark.timeout(240)
def test_backtest_and_stream_give_equal_bytes(databases: Databases, profile: ReferenceProfile, table: pa.Table) -> None:
    """Every window of inputs and of accuracy, of both versions and every segment: the same bytes by either path.

    The stream comes in batches of 777 records that know nothing of hours; the backtest feeds an hour at a time and
    judges in between; rows that repeat an id are counted once in both.
    """
    streamed, played = databases(), databases()
    stream(streamed, profile, table, batch=777, flush_every=2)
    outcome = backtested(played, profile, table)
    assert outcome.events + outcome.duplicates == ROWS
    assert outcome.duplicates > 0
    inputs, accuracies = bytes_of(streamed)
    inputs_played, accuracies_played = bytes_of(played)
    assert {row[:3] for row in inputs} == {
        (version, tag, value)
        for version in ("1", "2")
        for tag, value in (("", ""), ("region", "eu"), ("region", "us"), ("region", "other"))
    }
    assert len(inputs) > 3000
    assert any('"kind":"drift"' in str(row[-1]) for row in inputs)
    assert any('"kind":"data_quality"' in str(row[-1]) for row in inputs)
    assert inputs_played == inputs
    assert len(accuracies) > 800
    assert any('"verdict":"WARNING"' in str(row[-1]) for row in accuracies)
    assert accuracies_played == accuracies
