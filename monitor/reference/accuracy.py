"""How often the reference's predictions came true."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.reference.column_values import Texts, numbers, texts
from monitor.reference.description import ReferenceDescription
from monitor.reference.weights import RowWeights


def agreeing_rows(
    table: pa.Table, *, description: ReferenceDescription, weights: RowWeights | None = None
) -> tuple[int, int]:
    """Return how many rows have both a prediction and a truth, and in how many of them the two agree.

    The prediction is the label; without one, `positive` from the threshold of the score on, else `negative`.
    Regressions have no such count, nor have references without truths: (0, 0). Weighed rows count by their weight.
    """
    if description.truth is None or not (description.label or description.score):
        return 0, 0
    truths = _spelled(texts(table[description.truth]))
    if description.label is not None:
        predicted = _spelled(texts(table[description.label]))
    else:
        scores = numbers(table[description.score])
        predicted = np.full(scores.values.size, description.negative, dtype=object)
        # Where a score is missing the comparison is False either way; the next line takes it out.
        predicted[scores.values >= description.threshold] = description.positive
        predicted[scores.missing | scores.invalid] = None
    labelled = (truths != None) & (predicted != None)  # noqa: E711  # elementwise, on arrays of objects
    counted = np.ones(len(table)) if weights is None else weights.values
    return round(float(counted[labelled].sum())), round(float(counted[labelled & (truths == predicted)].sum()))


def _spelled(found: Texts) -> npt.NDArray[np.object_]:
    """Return shape ``(rows,)``: each row's text, None where it has none."""
    return np.array([*found.categories, None], dtype=object)[found.codes]
