"""Truths of a reference table: which rows are right, and how many in each block of time."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.arrays import Int64s, Mask, Objects
from monitor.reference.arrow_columns import TextColumn, epoch_millis, numeric_column, text_column
from monitor.reference.description import ReferenceDescription
from monitor.reference.movement import TimeBlocks
from monitor.reference.profile import TruthBlocks, truth_blocks
from monitor.reference.rows import RowWeights
from monitor.truth_age import AgeBucket, age_buckets


@dataclass(frozen=True, slots=True)
class KnownTimes:
    """When the truths of rows were known (epoch ms), and of which rows that is known; both shape ``(rows,)``."""

    times: Int64s
    rows: Mask


@dataclass(frozen=True, slots=True)
class TruthRows:
    """Which rows have a truth and a prediction to compare it with, and in which the two agree; shape ``(rows,)``."""

    labelled: Mask
    correct: Mask

    def counts(self, weights: RowWeights | None) -> tuple[int, int]:
        """Return how many rows are labelled and how many of these are correct, by their weight."""
        if weights is None:
            return int(self.labelled.sum()), int(self.correct.sum())
        return round(float(weights.values[self.labelled].sum())), round(float(weights.values[self.correct].sum()))

    def by_block(self, blocks: TimeBlocks, weights: RowWeights | None) -> TruthBlocks:
        """Return both counts of each time block, each block at what it is worth by itself."""
        counted = np.ones(len(blocks.of_row)) if weights is None else weights.within(blocks.of_row).values
        sums = [
            np.bincount(blocks.of_row[rows], weights=counted[rows], minlength=len(blocks.starts))
            for rows in (self.labelled, self.correct)
        ]
        return truth_blocks(
            np.rint(np.stack(sums, axis=1)).astype(np.int64), starts=blocks.starts, minutes=blocks.minutes
        )

    def by_age(
        self, event_times: Int64s, known: KnownTimes, weights: RowWeights | None
    ) -> tuple[tuple[int, int, int], ...]:
        """Return age, labelled and correct of the rows whose truth has a time; ages without any are left out."""
        rows = known.rows & self.labelled
        ages = np.full(len(rows), -1)
        ages[rows] = age_buckets(event_times=event_times[rows], known_at=known.times[rows])
        counted = np.ones(len(rows)) if weights is None else weights.values
        labelled, correct = (
            np.rint(np.bincount(ages[chosen], weights=counted[chosen], minlength=len(AgeBucket))).astype(int).tolist()
            for chosen in (rows, rows & self.correct)
        )
        return tuple((age, labelled[age], correct[age]) for age in AgeBucket if labelled[age])


def known_times(column: pa.ChunkedArray) -> KnownTimes:
    """Return the times in a column of which rows may have none.

    Raises:
        UncountableColumn: As `epoch_millis`, of those that have one.
    """
    rows = np.asarray(column.is_valid().to_numpy(), dtype=np.bool_)
    times = np.zeros(len(column), dtype=np.int64)
    times[rows] = epoch_millis(column.drop_null())
    return KnownTimes(times, rows)


def truth_rows(table: pa.Table, *, description: ReferenceDescription) -> TruthRows | None:
    """Return which rows have both a prediction and a truth, and in which of them the two agree.

    The prediction is the label; without one, `positive` from the threshold of the score on, else `negative`.
    None for regressions, and for references without truths.
    """
    if description.truth is None or not (description.label or description.score):
        return None
    truths = _spelled(text_column(table[description.truth]))
    if description.label is not None:
        predicted = _spelled(text_column(table[description.label]))
    else:
        scores = numeric_column(table[description.score])
        predicted = np.full(scores.values.size, description.negative, dtype=object)
        # Where a score is missing the comparison is False either way; the next line removes it.
        predicted[scores.values >= description.threshold] = description.positive
        predicted[scores.missing | scores.invalid] = None
    labelled = (truths != None) & (predicted != None)  # noqa: E711  # elementwise, on arrays of objects
    return TruthRows(labelled, labelled & (truths == predicted))


def _spelled(column: TextColumn) -> Objects:
    """Return shape ``(rows,)``: each row's text, None where it has none."""
    return np.array([*column.categories, None], dtype=object)[column.codes]
