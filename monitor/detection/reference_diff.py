"""Compares two references column by column, the second one in the place of a window."""

from dataclasses import dataclass

import numpy as np

from monitor.detection.comparison import INVALID, MISSING, UNSEEN, Sample
from monitor.detection.measurements import column_distances, column_psi
from monitor.detection.prepared_reference import PreparedReference, prepare_reference
from monitor.errors import EmptySampleError
from monitor.reference.counting import rebinned_counts
from monitor.reference.layout import ColumnRole
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.stats.psi_bounds import chance_level


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShares:
    """Shares of missing, invalid and other values among all rows of one column."""

    missing: float
    invalid: float
    unseen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDifference:
    """How one column of reference *b* differs from that of *a*.

    Attributes:
        psi: On the bins of *a*; None where a side has no values.
        chance: The PSI that two samples of these sizes from one distribution have on average.
        ks: Of numeric columns; the true distance lies in ``[ks, ks + ks_bound]``.
        exact: Counts are exact; else *b*'s numbers lie in other cells and were taken as even inside each.
    """

    name: str
    kind: str
    role: str
    rows_a: int
    rows_b: int
    psi: float | None
    chance: float | None
    ks: float | None
    ks_bound: float | None
    a: ColumnShares
    b: ColumnShares
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDifference:
    """Two references: columns of both by falling PSI, and those that only one of them has.

    Attributes:
        same_cells: Adopting *b* where *a* is in force changes counts alone.
    """

    same_cells: bool
    columns: tuple[ColumnDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def reference_difference(spec: ModelSpec, a: ReferenceProfile, b: ReferenceProfile) -> ReferenceDifference:
    """Return how *b* differs from *a*; *spec* fits the columns of *a*."""
    prepared = prepare_reference(spec, a)
    current = prepared.sample(rebinned_counts(b, a.layout))
    in_a, in_b = ({(column.name, column.kind): column for column in side.layout.columns} for side in (a, b))
    both = [
        at
        for at, column in enumerate(a.layout.columns)
        if (column.name, column.kind) in in_b and column.role is not ColumnRole.LATENCY
    ]
    psi = column_psi(prepared, reference=prepared.reference, current=current)
    ks = column_distances(prepared, reference=prepared.reference, current=current)
    columns = []
    for at in both:
        cells = a.layout.columns[at]
        numbers = (float(psi[at]), float(ks.distances[at]), float(ks.error_bounds[at]))
        columns.append(
            _difference(
                prepared,
                current,
                at,
                numbers,
                exact=cells.kind is ColumnKind.CATEGORICAL or in_b[cells.name, cells.kind] == cells,
            )
        )
    columns.sort(key=lambda column: (-(-1.0 if column.psi is None else column.psi), column.name))
    return ReferenceDifference(
        same_cells=a.layout == b.layout,
        columns=tuple(columns),
        only_a=tuple(name for name, kind in in_a if (name, kind) not in in_b),
        only_b=tuple(name for name, kind in in_b if (name, kind) not in in_a),
    )


def _difference(
    prepared: PreparedReference, current: Sample, at: int, numbers: tuple[float, float, float], *, exact: bool
) -> ColumnDifference:
    cells, numeric = prepared.layout.columns[at], bool(prepared.numeric[at])
    m, n = int(prepared.reference.n[at]), int(current.n[at])
    psi, ks, bound = (None if np.isnan(number) else number for number in numbers)
    try:
        chance = chance_level(bins=int(prepared.order.bins_per_column[at]), n=n, m=m)
    except EmptySampleError:
        chance = None
    return ColumnDifference(
        name=cells.name,
        kind=cells.kind.value,
        role=cells.role.value,
        rows_a=int(prepared.reference.totals[at, MISSING]),
        rows_b=int(current.totals[at, MISSING]),
        psi=psi,
        chance=chance,
        ks=ks if numeric else None,
        ks_bound=bound if numeric else None,
        a=_shares(prepared.reference, at),
        b=_shares(current, at),
        exact=exact,
    )


def _shares(sample: Sample, at: int) -> ColumnShares:
    missing, invalid, unseen = (
        float(sample.shares[at, kind] / max(sample.totals[at, kind], 1)) for kind in (MISSING, INVALID, UNSEEN)
    )
    return ColumnShares(missing=missing, invalid=invalid, unseen=unseen)
