"""Raw samples as counts on the same bins: the step before a statistic, for those who hold arrays of values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.arrays import Float64s, Indices, Int64s, Mask
from monitor.errors import EmptySampleError
from monitor.stats.binning import decile_bins, rare_merge

Label = str | int | float
LABEL_TYPES = (str, int, float, np.integer, np.floating, np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecileCounts:
    """Two samples on the deciles of the reference; all arrays ``(bins,)`` but *edges*, ``(bins + 1,)``, −∞ to ∞."""

    reference: Int64s
    current: Int64s
    edges: Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCounts:
    """Two samples on the categories of the reference.

    Attributes:
        reference, current: Shape ``(bins,)``.
        categories: The labels of each bin; several in the last one where there are rare ones.
        unseen: Current values with a label that the reference never had; in no bin.
    """

    reference: Int64s
    current: Int64s
    categories: tuple[tuple[Label, ...], ...]
    unseen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCounts:
    """Two samples with a cell for each value: *reference*, *current*, *point_cells* ``(cells,)``, *edges* one more."""

    reference: Int64s
    current: Int64s
    edges: Float64s
    point_cells: Mask


def decile_counts(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, bins: int = 10, minimum_share: float = 0.01
) -> DecileCounts:
    r"""Return both samples of a number counted on the deciles of the reference, as the monitor bins for its PSI.

    .. math:: r_i = \#\{x \in \mathrm{reference} : e_i \le x < e_{i+1}\}, \qquad
              c_i = \#\{x \in \mathrm{current} : e_i \le x < e_{i+1}\}

    An inner edge is a value of the reference; what lies outside its range is in the first or last bin. A value that
    holds a whole decile or more (zeros, a flag) gets a bin of its own. The monitor cuts at thousandths of the
    reference, so its counts can differ from these by as much.

    Args:
        reference: Shape ``(m,)``. Finite numbers, in any order.
        current: Shape ``(n,)``. Finite numbers, in any order.
        bins: Quantiles to cut at, at least 2; where values tie there are fewer bins.
        minimum_share: Of the reference, in every bin; at least 0 and under 1.

    Returns:
        `DecileCounts`: ``reference`` and ``current`` of shape ``(bins,)``, ``edges`` of shape ``(bins + 1,)`` as
        numpy.histogram takes them. One bin only for a constant reference.

    Raises:
        EmptySampleError: Either sample has no values.
        ValueError: A sample is not one-dimensional or not finite, or *bins* or *minimum_share* is out of its range.

    References:
        Hyndman & Fan (1996), sample quantiles: here values of the sample, nothing is interpolated.

    Examples:
        >>> from driftline import stats
        >>> counts = stats.decile_counts(range(100), [-7, 0, 55, 98, 99, 400])
        >>> counts.edges.tolist()
        [-inf, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, inf]
        >>> counts.reference.tolist(), counts.current.tolist()
        ([10, 10, 10, 10, 10, 10, 10, 10, 10, 10], [2, 0, 0, 0, 0, 1, 0, 0, 0, 3])
    """
    if bins < 2:
        raise ValueError(f"bins must be at least 2, found {bins}")
    _require_share(minimum_share)
    reference_values, current_values = _finite_numbers(reference, "reference"), _finite_numbers(current, "current")
    values, counts = np.unique(reference_values, return_counts=True)
    inner = values[decile_bins(counts.astype(np.int64), bins=bins, minimum_share=minimum_share)[1:]]
    reference_counts, current_counts = (
        np.bincount(np.searchsorted(inner, sample, side="right"), minlength=len(inner) + 1).astype(np.int64)
        for sample in (reference_values, current_values)
    )
    return DecileCounts(
        reference=reference_counts, current=current_counts, edges=np.concatenate([[-np.inf], inner, [np.inf]])
    )


def category_counts(
    reference: Sequence[Label] | npt.NDArray[Any],
    current: Sequence[Label] | npt.NDArray[Any],
    *,
    minimum_share: float = 0.01,
    maximum: int = 30,
) -> CategoryCounts:
    r"""Return both samples of a label counted on the categories of the reference, rare ones together in the last bin.

    .. math:: r_i = \#\{x \in \mathrm{reference} : x \in K_i\}, \qquad c_i = \#\{x \in \mathrm{current} : x \in K_i\}

    with :math:`K_i` a frequent category or, last, all rare ones. What the reference never had is *unseen* and in no
    bin, as in the monitor, where it is a question of data quality and not of drift.

    Args:
        reference: Shape ``(m,)``. Texts, integers, floats or booleans.
        current: Shape ``(n,)``. The same.
        minimum_share: Of the reference, for a bin of one's own; at least 0 and under 1.
        maximum: Bins for frequent categories, at least 1.

    Returns:
        `CategoryCounts`: ``reference`` and ``current`` of shape ``(bins,)``, ``categories`` with the labels of each
        bin in the order of their texts, and ``unseen``.

    Raises:
        EmptySampleError: Either sample has no values.
        ValueError: A sample is not one-dimensional or has something else than labels (None, NaN, a date), or
            *minimum_share* or *maximum* is out of its range.

    References:
        Cochran (1954) for counting thin categories together.

    Examples:
        >>> from driftline import stats
        >>> counts = stats.category_counts(["card"] * 70 + ["cash"] * 30, ["card", "cash", "cash", "voucher"])
        >>> counts.categories
        (('card',), ('cash',))
        >>> counts.reference.tolist(), counts.current.tolist(), counts.unseen
        ([70, 30], [1, 2], 1)
    """
    _require_share(minimum_share)
    if maximum < 1:
        raise ValueError(f"maximum must be at least 1, found {maximum}")
    reference_labels, current_labels = _label_counts(reference, "reference"), _label_counts(current, "current")
    labels = sorted(reference_labels, key=str)
    reference_counts, current_counts = (
        np.array([counter[label] for label in labels], dtype=np.int64) for counter in (reference_labels, current_labels)
    )
    groups = rare_merge(reference_counts, minimum_share=minimum_share, maximum=maximum)
    members: list[list[Label]] = [[] for _ in range(int(groups.max()) + 1)]
    for label, group in zip(labels, groups.tolist(), strict=True):
        members[group].append(label)
    return CategoryCounts(
        reference=_summed(reference_counts, groups, bins=len(members)),
        current=_summed(current_counts, groups, bins=len(members)),
        categories=tuple(tuple(group) for group in members),
        unseen=current_labels.total() - int(current_counts.sum()),
    )


def value_counts(reference: npt.ArrayLike, current: npt.ArrayLike) -> ValueCounts:
    r"""Return both samples of a number with a cell for each value, on which distances are those of the raw samples.

    .. math:: r_{2i} = \#\{x \in \mathrm{reference} : x = v_i\}, \qquad c_{2i} = \#\{x \in \mathrm{current} : x = v_i\}

    with :math:`v_0 < v_1 < \dots` the values of both; between two of them lies an empty cell, the gap::

        cell      0      1      2      3      4
              |  v0  |  gap |  v1  |  gap |  v2  |
        edge  v0     v0     v1     v1     v2     v2

    Args:
        reference: Shape ``(m,)``. Finite numbers, in any order.
        current: Shape ``(n,)``. Finite numbers, in any order.

    Returns:
        `ValueCounts`: ``reference``, ``current`` and ``point_cells`` (True for a value, False for a gap) of shape
        ``(cells,)``, ``edges`` of shape ``(cells + 1,)``; 2k − 1 cells for k different values.

    Raises:
        EmptySampleError: Either sample has no values.
        ValueError: A sample is not one-dimensional or not finite.

    References:
        van der Vaart (1998), *Asymptotic Statistics*, chapter 19: the empirical distribution of a sample.

    Examples:
        >>> from driftline import stats
        >>> counts = stats.value_counts([1.0, 2.0, 2.0], [2.0, 5.0])
        >>> counts.edges.tolist()
        [1.0, 1.0, 2.0, 2.0, 5.0, 5.0]
        >>> counts.reference.tolist(), counts.current.tolist()
        ([1, 0, 2, 0, 0], [0, 0, 1, 0, 1])
    """
    reference_values, current_values = _finite_numbers(reference, "reference"), _finite_numbers(current, "current")
    values = np.unique(np.concatenate([reference_values, current_values]))
    cells = 2 * len(values) - 1
    reference_counts, current_counts = (
        np.bincount(2 * np.searchsorted(values, sample), minlength=cells).astype(np.int64)
        for sample in (reference_values, current_values)
    )
    return ValueCounts(
        reference=reference_counts,
        current=current_counts,
        edges=np.repeat(values, 2),
        point_cells=np.arange(cells) % 2 == 0,
    )


def _finite_numbers(values: npt.ArrayLike, side: str) -> Float64s:
    numbers = np.asarray(values, dtype=np.float64)
    _require_sample(numbers.shape, side)
    if unusable := int(np.count_nonzero(~np.isfinite(numbers))):
        raise ValueError(
            f"{side}: expected finite numbers, found {unusable} NaN or infinite of {numbers.size}; "
            "leave them out and compare their share by newcombe_difference"
        )
    return numbers


def _label_counts(values: Sequence[Label] | npt.NDArray[Any], side: str) -> Counter[Label]:
    labels = np.asarray(values, dtype=object)
    _require_sample(labels.shape, side)
    counts: Counter[Any] = Counter(labels.tolist())
    for label in counts:
        if not isinstance(label, LABEL_TYPES) or label != label:  # NaN alone differs from itself
            raise ValueError(
                f"{side}: expected texts, numbers or booleans, found {label!r}; leave missing values out and compare "
                "their share by newcombe_difference, write anything else as text"
            )
    return counts


def _require_sample(shape: tuple[int, ...], side: str) -> None:
    if len(shape) != 1:
        raise ValueError(f"{side}: expected one column of shape (n,), found {shape}")
    if shape[0] == 0:
        raise EmptySampleError(f"{side}: expected at least one value, found none")


def _require_share(minimum_share: float) -> None:
    if not 0.0 <= minimum_share < 1.0:
        raise ValueError(f"minimum_share must lie in [0, 1), found {minimum_share}")


def _summed(counts: Int64s, groups: Indices, *, bins: int) -> Int64s:
    sums = np.zeros(bins, dtype=np.int64)
    np.add.at(sums, groups, counts)
    return sums
