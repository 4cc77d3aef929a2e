"""Row weights of a reference: how much each row counts, and how many equal rows all of them are worth."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.reference.column_values import UncountableColumn, numbers

Reals = npt.NDArray[np.float64]
Groups = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RowWeights:
    """Weights of rows, scaled so that they add up to the rows that they are worth.

    Attributes:
        values: Shape ``(rows,)``, positive; their sum is `effective_rows`.
    """

    values: Reals

    @property
    def effective_rows(self) -> int:
        """The equal rows that these are worth, at least 1."""
        return round(float(self.values.sum()))

    def within(self, groups: Groups) -> "RowWeights":
        """Return the weights scaled anew in each group of rows, to what the group is worth by itself.

        Args:
            groups: Shape ``(rows,)``. Number of each row's group, from 0 on.
        """
        sums = np.bincount(groups, weights=self.values)
        squares = np.bincount(groups, weights=self.values * self.values)
        return replace(self, values=self.values * (sums / np.where(squares > 0.0, squares, 1.0))[groups])


def scaled_weights(raw: Reals) -> RowWeights:
    r"""Return positive weights in units in which they add up to Kish's effective sample size, rounded.

    .. math:: n_\mathrm{eff} = \frac{(\sum w)^2}{\sum w^2}

    A share estimated from weighted rows varies as one from :math:`n_\mathrm{eff}` equal rows; counts in these units
    therefore claim no more evidence than there is.

    Args:
        raw: Shape ``(rows,)``, at least one row, positive.

    References:
        Kish (1965), *Survey Sampling*, the design effect of weighting.
    """
    largest = float(raw.max())
    shares = raw / largest  # neither the sum nor the squares overflow
    effective = max(1, round(float(shares.sum() ** 2 / (shares * shares).sum())))
    return RowWeights(shares * (effective / shares.sum()))


def read_weights(column: pa.ChunkedArray) -> Reals:
    """Return the weights in a column of a table, shape ``(rows,)``; a row of weight 0 counts for nothing.

    Raises:
        UncountableColumn: Not numbers, or some are missing, not finite or negative, or all are 0.
    """
    found = numbers(column)
    bad = found.missing | found.invalid | (found.values < 0.0)
    if bad.any():
        first = int(np.argmax(bad))
        raise UncountableColumn(
            f"expected a weight of 0 or more in every row, found {column[first].as_py()} in row {first + 1}"
            f" ({int(bad.sum())} of {bad.size} rows have none)"
        )
    if not found.values.any():
        raise UncountableColumn("expected weights, found 0 in every row")
    return found.values
