"""Census predictions through a real broker and a real Postgres equal what the files say."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from scipy import stats

from monitor.findings import WindowResult, decode_result
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.store.engine import make_engine
from monitor.store.schema import evaluation, performance_evaluation, performance_pane
from monitor.types import MINUTE_MILLIS
from tests.acceptance.roles import Roles
from tests.services.databases import fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import create_topics, unique_topic_names

DATA = Path(__file__).parents[3] / "shared" / "data"
START = "2026-06-01T00:00:00Z"
START_MILLIS = 1_780_272_000_000
ROWS = 208_892
TRUTH_DELAY_HOURS = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Census:
    """The files, as arrays in file order; event i happens i seconds after START."""

    def __init__(self) -> None:
        self.analysis = pq.read_table(DATA / "acs_employment_analysis.parquet")
        truth = pq.read_table(DATA / "acs_employment_truth.parquet")
        by_id = dict(zip(truth["id"].to_pylist(), truth["employed"].to_pylist(), strict=True))
        ids = self.analysis["id"].to_pylist()
        predicted = self.analysis["prediction"].to_numpy()
        self.correct = np.array([by_id[each] for each in ids]) == predicted
        self.reference = pq.read_table(DATA / "acs_employment_reference.parquet")

    def rows(self, *, start: int, end: int) -> slice:
        """Rows whose event time is in ``[start, end)`` milliseconds."""
        first, last = ((each - START_MILLIS + 999) // 1000 for each in (start, end))
        return slice(max(first, 0), max(min(last, ROWS), 0))

    def column(self, name: str, rows: slice) -> npt.NDArray[np.object_]:
        chunk = self.analysis[name].slice(rows.start, rows.stop - rows.start)
        return np.array(chunk.to_pylist(), dtype=object)


@pytest.fixture(scope="module")
def census() -> Census:
    return Census()


def run_through(
    roles: Roles, *, workers: int, batch_size: int
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Take the census through every role; return the final evaluations and final accuracies, canonically ordered."""
    roles.run(
        "init", "--reference", str(DATA / "acs_employment_reference.parquet"), "--model", "employment",
        "--score", "predicted_probability", "--label", "prediction", "--truth", "employed", "--id", "id",
        "--ignore", "year", "--sample-rate", "1",
    )  # fmt: skip
    roles.run("apply", "employment.yaml")
    for number in range(workers):
        roles.start(f"ingest-{number}", "ingest", DRIFTLINE_BATCH_SIZE=str(batch_size))
    roles.start("maintain", "maintain")
    roles.start("alerter", "alerter", DRIFTLINE_SWEEP_SECONDS="2")
    roles.run(
        "replay", "--model", "employment", "--predictions", str(DATA / "acs_employment_analysis.parquet"),
        "--truths", str(DATA / "acs_employment_truth.parquet"), "--truth", "employed", "--id", "id",
        "--version", "1", "--score", "predicted_probability", "--label", "prediction",
        "--start", START, "--every", "1s", "--truth-delay", f"{TRUTH_DELAY_HOURS}h",
    )  # fmt: skip
    engine = make_engine(roles.database_url)
    last_end = START_MILLIS + (ROWS - 1) * 1000

    def settled() -> bool:
        status = roles.json("status")
        return _labelled(engine) == ROWS and _all_evaluated(engine, last_end) and status is not None

    roles.wait_until("everything counted, joined and evaluated", settled, timeout_seconds=420)
    try:
        return _final_evaluations(engine), _final_accuracies(engine)
    finally:
        engine.dispose()


def _labelled(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.sum(performance_pane.c.labelled))).scalar() or 0)


def _all_evaluated(engine: sa.Engine, last_event: int) -> bool:
    """The watermark stops one minute (disorder) before the last event: every window end up to there is due."""
    due = (last_event - MINUTE_MILLIS) // MINUTE_MILLIS * MINUTE_MILLIS
    with engine.connect() as connection:
        done = connection.execute(
            sa.select(sa.func.max(evaluation.c.window_end)).where(evaluation.c.length == 10)
        ).scalar()
    return done is not None and int(done) >= due


def _final_evaluations(engine: sa.Engine) -> list[tuple[object, ...]]:
    e = evaluation.c
    query = (
        sa.select(e.length, e.window_end, e.events, e.verdict, e.result)
        .distinct(e.length, e.window_end)
        .order_by(e.length, e.window_end, e.revision.desc())
    )
    with engine.connect() as connection:
        return [tuple(each) for each in connection.execute(query)]


def _final_accuracies(engine: sa.Engine) -> list[tuple[object, ...]]:
    p = performance_evaluation.c
    query = (
        sa.select(p.length, p.window_end, p.sampled, p.labelled, p.correct, p.accuracy, p.low, p.high)
        .where(p.mature)
        .distinct(p.length, p.window_end)
        .order_by(p.length, p.window_end, p.revision.desc())
    )
    with engine.connect() as connection:
        return [tuple(each) for each in connection.execute(query)]


def test_census_equals_the_files_and_a_second_replay_gives_equal_bytes(
    census: Census,
    kafka_broker: KafkaBroker,
    postgres_server: PostgresServer,
    template_database: str,
    tmp_path: Path,
) -> None:
    """All 208,892 predictions counted, accuracy 0.8276, every window as numpy and scipy compute it, twice the same."""
    outcomes = []
    for run, (workers, batch_size, partitions) in enumerate(((2, 5000, 4), (1, 777, 3))):
        names = unique_topic_names()
        create_topics(kafka_broker, names, partitions=partitions)
        with (
            fresh_database(postgres_server, template=template_database) as url,
            Roles(tmp_path / str(run), url, kafka_broker.bootstrap, names) as roles,
        ):
            outcomes.append(run_through(roles, workers=workers, batch_size=batch_size))
            _check_counters(roles)
            profile = decode_profile((roles.directory / "employment.reference").read_bytes(), source="init")
    evaluations, accuracies = outcomes[0]
    _check_accuracies(census, accuracies)
    _check_evaluations(census, profile, evaluations)
    assert outcomes[1] == outcomes[0]


def _check_counters(roles: Roles) -> None:
    partitions = roles.json("partitions", "list")["partitions"]
    predictions = [each for each in partitions if each["topic"] == roles.topics.predictions]
    assert sum(each["counted"] for each in predictions) == ROWS
    for counter in ("duplicates", "late", "dead"):
        assert sum(each[counter] for each in partitions) == 0, counter


def _check_accuracies(census: Census, accuracies: list[tuple[object, ...]]) -> None:
    assert round(float(census.correct.mean()), 4) == 0.8276
    assert len(accuracies) > 3000
    for length, end, sampled, labelled, correct, accuracy, low, high in accuracies:
        assert isinstance(length, int) and isinstance(end, int)
        rows = census.rows(start=end - length * MINUTE_MILLIS, end=end)
        expected = census.correct[rows]
        assert (sampled, labelled, correct) == (len(expected), len(expected), int(expected.sum()))
        assert accuracy == pytest.approx(expected.mean(), abs=1e-12)
        interval = stats.binomtest(int(expected.sum()), len(expected)).proportion_ci(
            confidence_level=0.95, method="wilson"
        )
        assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def _check_evaluations(census: Census, profile: ReferenceProfile, evaluations: list[tuple[object, ...]]) -> None:
    assert {each[0] for each in evaluations} == {10, 30, 60, 240, 1440}, "58 hours hold no full week"
    for number, (length, end, events, _, result) in enumerate(evaluations):
        assert isinstance(length, int) and isinstance(end, int) and isinstance(result, str)
        rows = census.rows(start=end - length * MINUTE_MILLIS, end=end)
        assert events == rows.stop - rows.start
        if number % 7 == 0 or length >= 240:  # brute force on every seventh short window keeps this under a minute
            _check_window(census, profile, rows, decode_result(result))


def _check_window(census: Census, profile: ReferenceProfile, rows: slice, result: WindowResult) -> None:
    """PSI to 1e-9 of numpy's on the same bins; KS inside its printed bound of scipy's on the raw values."""
    names = {"prediction.score": "predicted_probability", "prediction.label": "prediction"}
    by_name = {each.name: each for each in result.columns}
    for column, reference in zip(profile.layout.columns, profile.columns, strict=True):
        if column.role == "latency" or by_name[column.name].inconclusive:
            continue
        source = names.get(column.name, column.name)
        current = census.column(source, rows)
        before = np.array(census.reference[source].to_pylist(), dtype=object)
        found = by_name[column.name]
        bins = np.array(reference.bins)
        if column.kind == "numeric":
            edges = np.array(column.edges)[np.flatnonzero(np.diff(bins, prepend=-1))][1:]
            expected = _psi(np.searchsorted(edges, before.astype(float), "right"),
                            np.searchsorted(edges, current.astype(float), "right"), int(bins.max()) + 1)  # fmt: skip
            exact = stats.ks_2samp(before.astype(float), current.astype(float)).statistic
            assert found.ks is not None and found.ks_bound is not None
            assert found.ks - 1e-9 <= exact <= found.ks + found.ks_bound + 1e-9, column.name
        else:
            group = {category: int(bins[i]) for i, category in enumerate(column.categories)}
            expected = _psi(_codes(before, group), _codes(current, group), int(bins.max()) + 1)
        assert found.psi == pytest.approx(expected, abs=1e-9), column.name


def _codes(values: npt.NDArray[np.object_], group: dict[str, int]) -> npt.NDArray[np.int64]:
    known = [group[str(each)] for each in values if str(each) in group]
    return np.array(known, dtype=np.int64)


def _psi(reference: npt.NDArray[np.int64], current: npt.NDArray[np.int64], bins: int) -> float:
    """Textbook PSI with half an observation added to each bin, straight from numpy."""
    p, q = (np.bincount(each, minlength=bins) + 0.5 for each in (reference, current))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())
