"""Census predictions through a real broker and a real Postgres equal what the files say."""

import time
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from scipy import stats
from sqlalchemy.dialects.postgresql import distinct_on

from driftline.backtest import BacktestOutcome
from driftline.backtest.page import page_of
from driftline.backtest.report.build import report_of
from driftline.cli.init import init
from monitor.arrays import Float64s, Int64s, Strings
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.result_codec import decode_result, encode_result
from monitor.results import ColumnResult
from monitor.spec.file import read_spec
from monitor.store.engine import make_engine
from monitor.store.evaluations import stored_result
from monitor.store.schema import cells, evaluation, performance_evaluation, performance_pane
from monitor.units import MINUTE_MILLIS
from tests.acceptance.census_backtest import accuracies_of, census_backtest, evaluations_of
from tests.acceptance.roles import Roles
from tests.services.databases import fresh_database
from tests.services.datasets import CENSUS_ANALYSIS, CENSUS_REFERENCE, CENSUS_TRUTH
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import create_topics, unique_topic_names

START = "2026-06-01T00:00:00Z"
START_MILLIS = 1_780_272_000_000
ROWS = 208_892
TRUTH_DELAY_HOURS = 6
SOURCES = {"prediction.score": "predicted_probability", "prediction.label": "prediction"}
Values = Float64s | Strings
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Census:
    """The files, as arrays in file order; event i happens i seconds after START."""

    def __init__(self) -> None:
        self.analysis = pq.read_table(CENSUS_ANALYSIS)
        truth = pq.read_table(CENSUS_TRUTH)
        by_id = dict(zip(truth["id"].to_pylist(), truth["employed"].to_pylist(), strict=True))
        ids = self.analysis["id"].to_pylist()
        predicted = self.analysis["prediction"].to_numpy()
        self.correct = np.array([by_id[row_id] for row_id in ids]) == predicted
        self.reference = pq.read_table(CENSUS_REFERENCE)

    def rows(self, *, start: int, end: int) -> slice:
        """Rows whose event time is in ``[start, end)`` milliseconds."""
        first, last = ((value - START_MILLIS + 999) // 1000 for value in (start, end))
        return slice(max(first, 0), max(min(last, ROWS), 0))

    @cached_property
    def values(self) -> dict[str, tuple[Values, Values]]:
        """Reference and analysis values of each column, numbers as they are, categories as text."""
        return {
            name: (_values(self.reference, name), _values(self.analysis, name)) for name in self.analysis.column_names
        }


def _values(table: pa.Table, name: str) -> Values:
    column = table[name].combine_chunks()
    if name in ("AGEP", "predicted_probability"):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.array([str(value) for value in column.to_pylist()])


@pytest.fixture(scope="module")
def census(datasets: None) -> Census:
    return Census()


@pytest.fixture(scope="module")
def directory(datasets: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `driftline init` wrote the spec and the reference."""
    result = tmp_path_factory.mktemp("census")
    init(
        reference=CENSUS_REFERENCE, model="employment", score="predicted_probability",
        label="prediction", truth="employed", identity="id", ignore=["year"], sample_rate=1.0,
        output=result / "employment.yaml", as_json=True,
    )  # fmt: skip
    return result


@pytest.fixture(scope="module")
def played(directory: Path) -> BacktestOutcome:
    """The backtest of the same files: without a broker, without a server."""
    return census_backtest(
        directory,
        CENSUS_ANALYSIS,
        CENSUS_TRUTH,
        start=START_MILLIS,
        delay_millis=TRUTH_DELAY_HOURS * 60 * MINUTE_MILLIS,
    )


def run_through(
    roles: Roles, *, workers: int, batch_size: int
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Take the census through every role; return the final evaluations and final accuracies, canonically ordered."""
    roles.run(
        "init", "--reference", str(CENSUS_REFERENCE), "--model", "employment",
        "--score", "predicted_probability", "--label", "prediction", "--truth", "employed", "--id", "id",
        "--ignore", "year", "--sample-rate", "1",
    )  # fmt: skip
    roles.run("apply", "employment.yaml")
    for number in range(workers):
        roles.start(f"ingest-{number}", "ingest", DRIFTLINE_BATCH_SIZE=str(batch_size))
    roles.start("maintain", "maintain")
    roles.start("alerter", "alerter", DRIFTLINE_SWEEP_SECONDS="1", DRIFTLINE_REVISION_SECONDS="1")
    roles.run(
        "replay", "--model", "employment", "--predictions", str(CENSUS_ANALYSIS),
        "--truths", str(CENSUS_TRUTH), "--truth", "employed", "--id", "id",
        "--version", "1", "--score", "predicted_probability", "--label", "prediction",
        "--start", START, "--every", "1s", "--truth-delay", f"{TRUTH_DELAY_HOURS}h",
    )  # fmt: skip
    engine = make_engine(roles.database_url)
    last_end = START_MILLIS + (ROWS - 1) * 1000

    def settled() -> bool:
        if not (_labelled(engine) == ROWS and _all_evaluated(engine, last_end)):
            return False
        before = _final_evaluations(engine), _final_accuracies(engine)
        time.sleep(6)  # several sweeps, each of which would write the revisions that are left
        return before == (_final_evaluations(engine), _final_accuracies(engine))

    try:
        roles.wait_until("everything counted, joined and evaluated", settled, timeout_seconds=420)
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
        sa.select(e.length, e.window_end, e.events, e.verdict, e.packed, e.result, cells.c.column_names)
        .join(cells, cells.c.id == e.cells_id)
        .ext(distinct_on(e.length, e.window_end))
        .order_by(e.length, e.window_end, e.revision.desc())
    )
    with engine.connect() as connection:
        return [(*row[:4], _text(*row[4:])) for row in connection.execute(query)]


def _text(packed: bytes | None, text: str | None, names: list[str] | None = None) -> str:
    return encode_result(stored_result(packed, text, names)).decode()


def _final_accuracies(engine: sa.Engine) -> list[tuple[object, ...]]:
    p = performance_evaluation.c
    query = (
        sa.select(
            *(p.length, p.window_end, p.sampled, p.labelled, p.correct, p.accuracy, p.low, p.high),
            *(p.packed, p.result),
        )
        .where(p.mature)
        .ext(distinct_on(p.length, p.window_end))
        .order_by(p.length, p.window_end, p.revision.desc())
    )
    with engine.connect() as connection:
        return [(*row[:8], _text(*row[8:])) for row in connection.execute(query)]


def test_census_equals_the_files_and_a_second_replay_gives_equal_bytes(
    census: Census,
    played: BacktestOutcome,
    kafka_broker: KafkaBroker,
    postgres_server: PostgresServer,
    template_database: str,
    tmp_path: Path,
) -> None:
    """All 208,892 predictions counted, accuracy 0.8276, every window as numpy and scipy compute it, twice the same.

    And a third time without a broker: the backtest of the same files gives equal bytes.
    """
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
    assert accuracies_of(played) == accuracies
    assert evaluations_of(played) == evaluations


def test_a_backtest_of_the_census_agrees_with_the_files(
    census: Census, directory: Path, played: BacktestOutcome
) -> None:
    """The same counts and accuracy, and what it would have raised, with reasons; its windows are checked above."""
    assert (played.events, played.duplicates, played.labelled) == (ROWS, 0, ROWS)
    assert round(played.correct / played.labelled, 4) == round(float(census.correct.mean()), 4) == 0.8276
    profile = decode_profile((directory / "employment.reference").read_bytes(), source="init")
    _check_accuracies(census, accuracies_of(played))
    report = report_of(played, spec=read_spec(directory / "employment.yaml"), profile=profile, source="census")
    assert report.accuracy is not None
    assert report.accuracy.accuracy == pytest.approx(census.correct.mean(), abs=1e-12)
    assert report.incidents  # another year's census differs from the reference's, and the report says why
    assert all(incident.sentence and incident.steps for incident in report.incidents)
    assert "employment" in page_of(report)


def _check_counters(roles: Roles) -> None:
    partitions = roles.json("partitions", "list")["partitions"]
    predictions = [partition for partition in partitions if partition["topic"] == roles.topics.predictions]
    assert sum(prediction["counted"] for prediction in predictions) == ROWS
    for counter in ("duplicates", "late", "dead"):
        assert sum(partition[counter] for partition in partitions) == 0, counter


def _check_accuracies(census: Census, accuracies: list[tuple[object, ...]]) -> None:
    assert round(float(census.correct.mean()), 4) == 0.8276
    assert len(accuracies) > 3000
    for length, end, sampled, labelled, correct, accuracy, low, high, _ in accuracies:
        assert isinstance(length, int)
        assert isinstance(end, int)
        rows = census.rows(start=end - length * MINUTE_MILLIS, end=end)
        expected = census.correct[rows]
        assert (sampled, labelled, correct) == (len(expected), len(expected), int(expected.sum()))
        assert accuracy == pytest.approx(expected.mean(), abs=1e-12)
        interval = stats.binomtest(int(expected.sum()), len(expected)).proportion_ci(
            confidence_level=0.999, method="wilson"
        )
        assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def _check_evaluations(census: Census, profile: ReferenceProfile, evaluations: list[tuple[object, ...]]) -> None:
    """PSI to six digits of numpy's on the same bins; KS inside its printed bound of scipy's on the raw values."""
    assert {row[0] for row in evaluations} == {10, 30, 60, 240, 1440, 10080}
    binned = _binned(census, profile)
    for number, (length, end, events, _, result) in enumerate(evaluations):
        assert isinstance(length, int)
        assert isinstance(end, int)
        assert isinstance(result, str)
        rows = census.rows(start=end - length * MINUTE_MILLIS, end=end)
        assert events == rows.stop - rows.start
        judged = decode_result(result)
        is_filling = length > 60 and end - length * MINUTE_MILLIS < START_MILLIS
        assert (judged.reason == "filling") == is_filling
        if is_filling:
            continue
        outcome = {column.name: column for column in judged.columns}
        for name, (before, codes, bins) in binned.items():
            if not outcome[name].inconclusive:
                expected = _psi(before, np.bincount(codes[rows][codes[rows] >= 0], minlength=bins))
                assert outcome[name].psi == pytest.approx(expected, rel=5e-6, abs=1e-9), (
                    name,
                    length,
                    end,
                )  # six digits
        if number % 10 == 0 or length >= 1440:  # sorting 70,000 values for every window takes a quarter of an hour
            _check_distances(census, rows, outcome)


def _check_distances(census: Census, rows: slice, columns: dict[str, ColumnResult]) -> None:
    for name in ("AGEP", "prediction.score"):
        before, current = census.values[SOURCES.get(name, name)]
        if columns[name].inconclusive:
            continue
        exact = stats.ks_2samp(before, current[rows], method="asymp").statistic
        low, bound = columns[name].ks, columns[name].ks_bound
        assert low is not None
        assert bound is not None
        assert low * (1 - 5e-6) - 1e-9 <= exact <= (low + bound) * (1 + 5e-6) + 1e-9, name


def _binned(census: Census, profile: ReferenceProfile) -> dict[str, tuple[Int64s, Int64s, int]]:
    """Return for each column: counts of the reference per bin, the bin of each analysed row (-1: none), bins."""
    binned = {}
    for column, reference in zip(profile.layout.columns, profile.columns, strict=True):
        if column.role == "latency":
            continue
        before, current = census.values[SOURCES.get(column.name, column.name)]
        bins = np.array(reference.bins)
        if column.kind == "numeric":
            edges = np.array(column.edges)[np.flatnonzero(np.diff(bins, prepend=-1))][1:]
            codes = [np.searchsorted(edges, value, "right") for value in (before, current)]
        else:
            group = {category: int(bins[i]) for i, category in enumerate(column.categories)}
            codes = [np.array([group.get(value, -1) for value in values]) for values in (before, current)]
        size = int(bins.max()) + 1
        binned[column.name] = (np.bincount(codes[0], minlength=size), codes[1], size)
    return binned


def _psi(reference: Int64s, current: Int64s) -> float:
    """Textbook PSI with half an observation added to each bin, straight from numpy."""
    p, q = reference + 0.5, current + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())
