"""The counted model's windows: its counts written minute by minute, judged, and judged again by brute force."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from monitor.detection import prepare_reference
from monitor.evaluate import EvaluationBatch, EvaluationRules, Evaluator
from monitor.result_codec import encode_result
from monitor.store.configuration import load_reference
from monitor.store.incidents import lock_model
from monitor.types import Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import (
    START,
    CountedModel,
    set_watermark,
    write_pane,
)
from tests.models.decided import decide_window
from tests.oracle.stored import FinalEvaluation, final_evaluations

SCALES = "windows: {min_events: 50, scales: [{length: 4m, step: 1m}, {length: 12m, step: 3m}]}\n"
NOW = START + 10**10
LATENESS = 10
RULES = EvaluationRules(watermark=WatermarkRules(allowed_lateness=LATENESS * MINUTE_MILLIS), revision_seconds=0)
Panes = list[tuple[int, npt.NDArray[np.int64]]]


def evaluate_all(
    engine: Engine, counted: CountedModel, evaluator: Evaluator, *, limit_ends: int = 50
) -> list[EvaluationBatch]:
    batches: list[EvaluationBatch] = []
    while not batches or batches[-1].more:
        with engine.begin() as connection:
            assert lock_model(connection, counted.applied.model_id)
            batch = evaluator.evaluate_model(connection, counted.applied, now_millis=NOW, limit_ends=limit_ends)
        batches.append(batch)
    return batches


def some_panes(counted: CountedModel, minutes: Iterable[int], *, seed: int = 1) -> Panes:
    """Uniform counts; from minute 30 on the first column is squeezed into its lower half."""
    generator = np.random.default_rng(seed)
    results = []
    for minute in minutes:
        counts = counted.counts(generator, int(generator.integers(40, 90)))
        if minute >= 30:
            half = counted.cells // 2
            counts[:half] += counts[half : counted.cells]
            counts[half : counted.cells] = 0
        results.append((minute, counts))
    return results


def write(engine: Engine, counted: CountedModel, panes: Panes) -> None:
    with engine.begin() as connection:
        for minute, counts in panes:
            write_pane(connection, counted, START + minute * MINUTE_MILLIS, counts)


def move(engine: Engine, minute: int) -> None:
    with engine.begin() as connection:
        set_watermark(connection, START + minute * MINUTE_MILLIS, now=NOW)


def stored(engine: Engine, counted: CountedModel) -> tuple[FinalEvaluation, ...]:
    with engine.connect() as connection:
        return final_evaluations(connection, counted.applied.model_id)


def brute_force(engine: Engine, counted: CountedModel, panes: Panes, until: int) -> dict[tuple[int, int], bytes]:
    """Every window with events up to *until*, cut minute by minute, by (length, end minute)."""
    with engine.connect() as connection:
        profile = load_reference(connection, counted.applied.reference_id)
    prepared = prepare_reference(counted.applied.spec, profile)

    def between(start: int, stop: int) -> npt.NDArray[np.int64]:
        inside = [pane for minute, pane in panes if start <= START + minute * MINUTE_MILLIS < stop]
        return np.sum(inside, axis=0) if inside else np.zeros(profile.layout.size, dtype=np.int64)

    def events(counts: npt.NDArray[np.int64]) -> int:
        return int(counts[: profile.layout.spans[0].stop].sum())

    results = {}
    for scale in counted.applied.spec.scales:
        for end in range(until + 1):
            window = Window(scale, START + end * MINUTE_MILLIS)
            first, second = between(window.start, window.middle), between(window.middle, window.end)
            if end % scale.step or not events(first + second):
                continue
            previous = between(window.previous_start, window.start)
            result = decide_window(
                prepared,
                scale=scale,
                first_half=first,
                second_half=second,
                events=events(first + second),
                previous=previous if events(previous) else None,
                previous_events=events(previous),
            )
            results[scale.length, end] = encode_result(result)
    return results


def as_minutes(evaluations: Iterable[FinalEvaluation]) -> dict[tuple[int, int], bytes]:
    return {(row.length, (row.window_end - START) // MINUTE_MILLIS): row.result.encode() for row in evaluations}
