"""The rule ``anytime``: a lasting change of a column is detected pane by pane (statistics §4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import AnyIntegers, Indices
from monitor.detection.comparison import ComparisonOrder, Sample
from monitor.detection.evidence import Evidence, TierLevel
from monitor.reference.layout import CellsLayout
from monitor.spec.model import ColumnRule, DriftRule, ModelSpec
from monitor.stats.e_detector import EDetector, e_detector, log_statistics_of_panes, tolerance_band
from monitor.types import Statistic, Tier

PaneCounts = AnyIntegers
"""Counts of one pane in a layout's order, in the narrow type in which they are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeWatch:
    """The watched columns of one model.

    Attributes:
        length: Minutes of the scale whose windows are watched: the shortest.
        columns: Shape ``(watched,)``. Their indices in the layout.
        places: Their compared counts, as indices in the layout's vector.
        bins: First of *places* of each bin.
        log_run_length: log C: a false alarm comes once in C panes or more rarely.
    """

    length: int
    columns: Indices
    places: Indices
    bins: Indices
    detector: EDetector
    log_run_length: float


def anytime_watch(
    spec: ModelSpec, layout: CellsLayout, *, order: ComparisonOrder, reference: Sample, alpha: float
) -> AnytimeWatch | None:
    """Return what is watched, None where no column asks for it, or the textbook rule is in force.

    C is 1 / *alpha*: each test of the model is falsely passed equally often.
    """
    wanted = {name for name, column in spec.columns.items() if column.rule is ColumnRule.ANYTIME and column.monitor}
    columns = [index for index, column in enumerate(layout.columns) if column.name in wanted and reference.n[index] > 0]
    if not columns or spec.drift.rule is DriftRule.TEXTBOOK:
        return None
    stops = [*order.columns[1:].tolist(), len(order.gather)]
    chosen = np.concatenate([np.arange(order.columns[column], stops[column]) for column in columns])
    bins = np.flatnonzero(np.isin(chosen, order.bins))
    starts = np.cumsum([0, *order.bins_per_column[columns[:-1]].tolist()])
    counts = np.add.reduceat(reference.cells[chosen], bins)
    return AnytimeWatch(
        length=min(scale.length for scale in spec.scales),
        columns=np.array(columns, dtype=np.intp),
        places=order.gather[chosen],
        bins=bins,
        detector=e_detector(tolerance_band(counts, starts=starts), starts=starts),
        log_run_length=-math.log(alpha),
    )


def anytime_evidence(watch: AnytimeWatch, panes: Sequence[PaneCounts]) -> tuple[Evidence, ...]:
    """Return the evidence of each watched column of which *panes* (in order of time) prove a lasting change.

    Its numbers are powers of ten: the evidence, and what was needed.
    """
    if not panes:
        return ()
    counts = np.add.reduceat(np.stack([pane[watch.places] for pane in panes]).astype(np.int64), watch.bins, axis=1)
    log_statistics = log_statistics_of_panes(watch.detector, counts)[-1]
    needed = watch.log_run_length / math.log(10.0)
    level = TierLevel(tier=Tier.WARNING, threshold=needed, in_halves=True, needs_previous=False)
    evidence = []
    for index in np.flatnonzero(log_statistics >= watch.log_run_length).tolist():
        column, value = int(watch.columns[index]), float(log_statistics[index]) / math.log(10.0)
        evidence.append(Evidence(column=column, statistic=Statistic.ANYTIME, value=value, bound=value, levels=(level,)))
    return tuple(evidence)


def with_anytime(by_window: Sequence[Evidence], by_pane: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return *by_window*, but *by_pane* where a column has nothing else that endures: it is reported once."""
    enduring = {piece.column for piece in by_window if any(level.in_halves for level in piece.levels)}
    new = [piece for piece in by_pane if piece.column not in enduring]
    replaced = {piece.column for piece in new}
    return (*(piece for piece in by_window if piece.column not in replaced), *new)
