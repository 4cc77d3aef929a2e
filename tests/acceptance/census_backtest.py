"""The census through the backtest: the same rows at the same times as the replay sends them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftline.backtest import (
    BacktestDatabase,
    BacktestOutcome,
    HistoryColumns,
    backtest_history,
    history_of,
    truths_of,
)
from monitor.reference.profile import decode_profile
from monitor.result_codec import encode_result
from monitor.spec.file import read_spec
from monitor.types import EvaluationKind


def census_backtest(directory: Path, analysis: Path, truth: Path, *, start: int, delay_millis: int) -> BacktestOutcome:
    """Return what the spec in *directory* finds; row i happens i seconds after *start* (ms)."""
    table = pq.read_table(analysis)
    at = start + np.arange(table.num_rows, dtype=np.int64) * 1000
    table = table.append_column("at", pa.array(at))
    # the truths' file has the rows in the same order; ids say so themselves
    known = pq.read_table(truth).join(table.select(["id", "at"]), keys="id")
    truths = truths_of(known, identity="id", truth="employed", known="at", delay_millis=delay_millis, source=str(truth))
    spec = read_spec(directory / "employment.yaml")
    profile = decode_profile((directory / "employment.reference").read_bytes(), source="init")
    columns = HistoryColumns(timestamp="at", identity="id", score="predicted_probability", label="prediction")
    with BacktestDatabase() as database, database.fresh() as url:
        return backtest_history(
            url,
            spec=spec,
            profile=profile,
            history=history_of(table, spec=spec, layout=profile.layout, columns=columns, source=str(analysis)),
            truths=truths,
            textbook=True,
            keep_results=True,
        )


def evaluations_of(outcome: BacktestOutcome) -> list[tuple[object, ...]]:
    """Return each window of inputs: length, end, events, verdict, bytes of the result."""
    results = []
    for window in outcome.windows:
        if window.kind is EvaluationKind.INPUTS:
            assert window.result is not None
            result = encode_result(window.result).decode()
            results.append((window.scale.length, window.end, window.events, window.verdict.value, result))
    return sorted(results)


def accuracies_of(outcome: BacktestOutcome) -> list[tuple[object, ...]]:
    """Return each mature window: length, end, sampled, labelled, correct, accuracy, interval, bytes of the result."""
    results = {
        (window.scale.length, window.end): encode_result(window.result).decode()  # a later revision comes later
        for window in outcome.windows
        if window.kind is EvaluationKind.PERFORMANCE and window.result is not None
    }
    return [
        (
            *(e.length, e.window_end, e.counts.sampled, e.counts.labelled, e.counts.correct),
            *(e.accuracy, e.low, e.high, results[e.length, e.window_end]),
        )
        for e in outcome.accuracies
    ]
