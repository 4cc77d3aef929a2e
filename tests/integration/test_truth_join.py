"""Truths and predictions in any order end in the same performance panes as brute force (F28-F31)."""

import uuid
from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from monitor.maintain import JoinRules, join_batches, join_truths
from monitor.performance.correctness import ComparisonRules
from monitor.store.schema import (
    joined,
    performance_due,
    performance_pane,
    prediction_ledger,
    truth,
    truth_inbox,
)
from monitor.truth_age import age_bucket
from tests.models.counted import START, CountedModel, apply_counted_model

HORIZON = 3_600_000
NOW = START + 10**10


@dataclass(frozen=True)
class Prediction:
    number: int
    version: str
    offset: int
    minute: int
    label: str


@dataclass(frozen=True)
class Truth:
    number: int
    known_at: int
    value: str | None
    offset: int


@dataclass(frozen=True)
class Join:
    """A moment at which maintain joins."""

    offset: int


def rules(counted: CountedModel) -> dict[int, JoinRules]:
    comparison = ComparisonRules(threshold=0.5, positive="1", negative="0", regression=False)
    return {counted.applied.model_id: JoinRules(comparison=comparison, horizon_millis=HORIZON)}


def create_week(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE prediction_ledger_test PARTITION OF prediction_ledger "
                f"FOR VALUES FROM ({START}) TO ({START + 7 * 86_400_000})"
            )
        )


def prediction_row(counted: CountedModel, prediction: Prediction) -> dict[str, object]:
    return {
        "model_id": counted.applied.model_id,
        "prediction_hash": str(uuid.UUID(int=prediction.number)),
        "version": prediction.version,
        "output": "",
        "series_ids": [counted.series_id],
        "event_time": START + prediction.minute * 60_000 + 7,
        "label": prediction.label,
        "topic": "predictions",
        "partition": 0,
        "offset": prediction.offset,
        "row": 0,
    }


def truth_row(counted: CountedModel, truth_event: Truth) -> dict[str, object]:
    return {
        "model_id": counted.applied.model_id,
        "prediction_hash": str(uuid.UUID(int=truth_event.number)),
        "known_at": START + truth_event.known_at * 60_000,
        "value": truth_event.value,
        "topic": "ground-truth",
        "partition": 0,
        "offset": truth_event.offset,
    }


def panes(connection: sa.Connection) -> dict[tuple[int, int], tuple[int, int]]:
    """Performance panes that hold something, by minute and age bucket."""
    rows = connection.execute(sa.select(performance_pane).where(performance_pane.c.labelled != 0))
    return {(row.minute, row.age_bucket): (row.labelled, row.correct) for row in rows}


def brute_force(predictions: list[Prediction], truths: list[Truth]) -> dict[tuple[int, int], tuple[int, int]]:
    """What the panes hold once everything has met: the lowest prediction, the latest truth."""
    labelled: Counter[tuple[int, int]] = Counter()
    correct: Counter[tuple[int, int]] = Counter()
    lowest: dict[tuple[int, str], Prediction] = {}
    for prediction in sorted(predictions, key=lambda prediction: prediction.offset):
        lowest.setdefault((prediction.number, prediction.version), prediction)
    for prediction in lowest.values():
        of_id = [truth for truth in truths if truth.number == prediction.number]
        latest = max(of_id, key=lambda truth: (truth.known_at, truth.offset), default=None)
        if latest is None or latest.value is None:
            continue
        event_time = START + prediction.minute * 60_000 + 7
        bucket = age_bucket(event_time=event_time, known_at=START + latest.known_at * 60_000)
        key = (START + prediction.minute * 60_000, int(bucket))
        labelled[key] += 1
        correct[key] += prediction.label == latest.value
    return {key: (labelled[key], correct[key]) for key in labelled}


def join_until_dry(engine: Engine, counted: CountedModel, now: int, *, limit: int = 3) -> None:
    for report in join_batches(engine, rules=rules(counted), limit=limit, now=lambda _: now):
        assert report.received <= limit


def clear(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (joined, performance_due, performance_pane, prediction_ledger, truth, truth_inbox):
            connection.execute(sa.delete(table))


numbers = st.integers(0, 3)
predictions = st.builds(
    Prediction,
    number=numbers,
    version=st.sampled_from(["1", "2"]),
    offset=st.integers(0, 1000),
    minute=st.integers(0, 3),
    label=st.sampled_from(["0", "1"]),
)
truths = st.builds(
    Truth,
    number=numbers,
    known_at=st.integers(0, 400),
    value=st.sampled_from(["0", "1", None]),
    offset=st.integers(0, 1000),
)
joins = st.builds(Join, offset=st.integers(0, 1000))
arrivals = st.lists(
    st.one_of(predictions, truths, predictions, truths, joins),
    min_size=3,
    max_size=25,
    unique_by=lambda arrival: (type(arrival), arrival.offset),
)


def test_any_order_gives_the_final_panes_of_brute_force(engine: Engine) -> None:
    """Predictions, truths, corrections, withdrawals and duplicates in any order, joined at any moments between."""
    counted = apply_counted_model(engine)
    create_week(engine)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arrivals)
    def holds(arrived: list[Prediction | Truth | Join]) -> None:
        clear(engine)
        now = NOW
        for arrival in arrived:
            if isinstance(arrival, Join):
                now += 1_000
                join_until_dry(engine, counted, now)
                continue
            with engine.begin() as connection:
                if isinstance(arrival, Prediction):
                    connection.execute(sa.insert(prediction_ledger).values(prediction_row(counted, arrival)))
                else:
                    connection.execute(sa.insert(truth_inbox).values(truth_row(counted, arrival)))
        join_until_dry(engine, counted, now)
        join_until_dry(engine, counted, now + HORIZON + 1)  # the last look of every truth
        expected = brute_force(
            [arrival for arrival in arrived if isinstance(arrival, Prediction)],
            [arrival for arrival in arrived if isinstance(arrival, Truth)],
        )
        with engine.connect() as connection:
            assert panes(connection) == expected
            assert connection.execute(sa.select(sa.func.count()).select_from(truth_inbox)).scalar() == 0
            pending = sa.select(sa.func.count()).select_from(truth).where(truth.c.next_probe_at.is_not(None))
            assert connection.execute(pending).scalar() == 0

    holds()


def test_a_truth_looks_again_on_its_schedule(engine: Engine) -> None:
    """A prediction after its truth is found by the next look, not before; another version's still later (F31).

    ::

        truth 0 s ... look 1 s ... prediction v1 ... look 10 s: joined ... v2 ... look 60 s: joined
    """
    counted = apply_counted_model(engine)
    create_week(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(truth_inbox).values(truth_row(counted, Truth(1, 5, "1", 0))))
    results = []
    for seconds, version in ((0, None), (1, "1"), (9, None), (10, "2"), (59, None), (60, None)):
        with engine.begin() as connection:
            join_truths(connection, rules=rules(counted), now=NOW + seconds * 1000)
            results.append(sum(labelled for labelled, _ in panes(connection).values()))
            if version is not None:
                row = prediction_row(counted, Prediction(1, version, 10, 0, "1"))
                connection.execute(sa.insert(prediction_ledger).values(row))
    assert results == [0, 0, 0, 1, 1, 2]


def test_a_correction_moves_what_was_counted(engine: Engine) -> None:
    """Taken back in the old age bucket, added in its own, and the minute is due again; withdrawn: nothing is left."""
    counted = apply_counted_model(engine)
    create_week(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(prediction_ledger).values(prediction_row(counted, Prediction(1, "1", 10, 0, "1"))))
    for index, (known_at, value, expected) in enumerate(
        [(1, "1", {(START, 0): (1, 1)}), (100, "0", {(START, 4): (1, 0)}), (200, None, {})]
    ):
        with engine.begin() as connection:
            connection.execute(sa.delete(performance_due))
            connection.execute(sa.insert(truth_inbox).values(truth_row(counted, Truth(1, known_at, value, index))))
            join_truths(connection, rules=rules(counted), now=NOW)
            assert panes(connection) == expected
            assert connection.execute(sa.select(performance_due.c.minute)).scalars().all() == [START]


def test_two_maintainers_share_the_inbox(engine: Engine) -> None:
    """What one has taken but not committed, the other leaves to it; together they count each truth once."""
    counted = apply_counted_model(engine)
    create_week(engine)
    with engine.begin() as connection:
        for number in range(10):
            row = prediction_row(counted, Prediction(number, "1", number, 0, "1"))
            connection.execute(sa.insert(prediction_ledger).values(row))
            connection.execute(sa.insert(truth_inbox).values(truth_row(counted, Truth(number, 1, "1", number))))
    with engine.connect() as one, engine.connect() as two:
        with one.begin():
            first = join_truths(one, rules={**rules(counted)}, limit=6, now=NOW)
            with two.begin():
                left = two.execute(sa.select(truth_inbox.c.id).with_for_update(skip_locked=True)).scalars().all()
        with two.begin():
            second = join_truths(two, rules=rules(counted), limit=6, now=NOW)
        assert (first.received, len(left), second.received) == (6, 4, 4)
        assert panes(two) == {(START, 0): (10, 10)}
