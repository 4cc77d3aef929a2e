"""Windows of the version `other`: judged as a mixture, and a data-quality finding of their model."""

from collections.abc import Iterable

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.arrays import Int64s
from monitor.evaluate import Evaluator
from monitor.store.series import ensure_series
from monitor.types import OTHER_VERSIONS, IncidentKind, SeriesKey, Statistic, Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.counted import START, apply_counted_model, write_panes
from tests.models.evaluated import RULES, SCALES, evaluate_all, move


def test_every_window_of_other_says_that_there_are_too_many_versions(engine: Engine) -> None:
    """WARNING where the columns are well or cannot be judged; windows of other versions say nothing of it."""
    counted = apply_counted_model(engine, extra=f"versions: 7\n{SCALES}")
    key = SeriesKey(counted.applied.model_id, OTHER_VERSIONS)
    generator = np.random.default_rng(1)

    def deltas(minutes: Iterable[int], events: int) -> list[tuple[int, Int64s, int]]:
        return [(START + minute * MINUTE_MILLIS, counted.counts(generator, events), 0) for minute in minutes]

    with engine.begin() as connection:
        others = ensure_series(connection, {key})[key]
        write_panes(connection, counted, deltas(range(20), 60))
        write_panes(connection, counted, deltas(range(20), 60), series_id=others)
        write_panes(connection, counted, deltas(range(20, 24), 1), series_id=others)
    move(engine, 24)
    judged = [
        evaluation
        for batch in evaluate_all(engine, counted, Evaluator(RULES))
        for end in batch.window_ends
        for evaluation in end.evaluations
    ]
    of_others = [evaluation for evaluation in judged if evaluation.series == key]
    assert len(of_others) > 20
    for evaluation in of_others:
        (finding,) = evaluation.result.of_kind(IncidentKind.DATA_QUALITY)
        assert (finding.statistic, finding.threshold, finding.column) == (Statistic.VERSIONS, 7.0, "")
        assert "more than 7 had events within a week" in finding.sentence
        assert evaluation.result.verdict is Verdict.WARNING
        assert evaluation.result.quality_calm is False
    assert min(evaluation.result.events for evaluation in of_others) < 50, "also where too few events came"
    named = [evaluation for evaluation in judged if evaluation.series != key]
    assert named
    assert not any(evaluation.result.of_kind(IncidentKind.DATA_QUALITY) for evaluation in named)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM evaluation WHERE verdict = 'WARNING'")).scalar()
