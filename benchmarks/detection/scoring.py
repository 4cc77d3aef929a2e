"""The model whose score every synthetic stream carries: logistic, of all columns alike, with alternating signs."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.detection.columns import CATEGORIES, CATEGORY

# Centre and spread with which the model was trained on each distribution.
SCALING = {
    "normal": (0.0, 1.0),
    "lognormal": (1.0, 3.6),
    "pareto": (1.9, 2.2),
    "cauchy": (0.0, 1.0),
    "zeros": (0.0, 1.0),
    "poisson": (3.0, 1.7),
    "rounded": (0.0, 1.0),
    "few": (0.7, 1.0),
}
LIMIT = 2.0  # what is far out moves the score no further


def model_scores(columns: list[tuple[str, pa.Array]]) -> npt.NDArray[np.float32]:
    """Return shape ``(rows,)``: the score of each row of *columns*, (distribution, values) in order.

    A missing value counts as the centre. The signs alternate, so that what moves all columns alike, as the hour of
    the day does, leaves the score nearly where it is, and what breaks one column moves it.
    """
    logits = np.zeros(len(columns[0][1]))
    for number, (distribution, values) in enumerate(columns):
        logits += _standardised(distribution, values) * (1.0 if number % 2 == 0 else -1.0)
    return (1.0 / (1.0 + np.exp(-logits / np.sqrt(len(columns))))).astype(np.float32)


def _standardised(distribution: str, values: pa.Array) -> npt.NDArray[np.float64]:
    if distribution == CATEGORY:
        codes = values.indices.to_numpy()
        return (codes - 2.0) / len(CATEGORIES)
    centre, spread = SCALING[distribution]
    numbers = values.fill_null(centre).to_numpy().astype(np.float64)
    return LIMIT * np.tanh((numbers - centre) / (LIMIT * spread))
