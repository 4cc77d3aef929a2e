"""A model's reference prepared for evaluation: its arrays, widths and family of tests, the same for all windows."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.detection.anytime_rule import AnytimeWatch, anytime_watch
from monitor.detection.comparison import ComparisonOrder, Sample, comparison_order, sample_of
from monitor.detection.own_prediction import OwnPrediction, with_own_prediction, without_season
from monitor.detection.scale_movement import ScaleMovement, scale_movement
from monitor.detection.seasonal import Hours, SeasonalReference, seasonal_reference
from monitor.errors import BinMismatchError
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind, DriftSpec, FurtherStatistic, ModelSpec
from monitor.stats.columnar import Counts
from monitor.stats.wasserstein import relative_widths

UNSEEN_ALPHA = 0.4
"""Share of alpha of all tests for unseen values together, where an even split leaves them less (weighted Bonferroni).

A rare new category is proven by a dozen events that are long in coming, so one less counts; the other tests have
hundreds. Two fifths leave these at least 0.6 of their alpha: in a model of 20 columns, 4 of them categories, a normal
bound (z squared) takes 4.2 % more events for it than by an even split. There it lets 13 events of 3,000 prove what took
15, and 8 of 1,000 what took 9.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyOfTests:
    """Everything that is tested of one model at one evaluation time; versions are not counted.

    Attributes:
        tests: Of one series at one scale.
        unseen: Those of them that are about unseen values.
        scales: Of the spec.
        segments: Series of one version: the whole, and each value of each tag with `other`.
    """

    tests: int
    unseen: int
    scales: int
    segments: int

    def alpha_of_unseen(self, alpha: float) -> float:
        """Return what one test for unseen values has of the family's *alpha*."""
        return self._divided(alpha * self._unseen_share, tests=self.unseen)

    def alpha_of_others(self, alpha: float) -> float:
        """Return what any other test has of the family's *alpha*."""
        return self._divided(alpha * (1.0 - self._unseen_share), tests=self.tests - self.unseen)

    @property
    def _unseen_share(self) -> float:
        return max(UNSEEN_ALPHA, self.unseen / self.tests) if self.unseen else 0.0

    def _divided(self, alpha: float, *, tests: int) -> float:
        return alpha / (max(tests, 1) * self.scales * self.segments)


def family_of(spec: ModelSpec, *, monitored: Mask, numeric: Mask, constant: Mask) -> FamilyOfTests:
    """Return the family of *spec*; the masks have shape ``(columns,)``, as in `PreparedReference`."""
    # Of each column PSI, missing and invalid; of numeric ones D and far; of all that can be unseen, unseen.
    unseen = int((monitored & (~numeric | constant)).sum())
    return FamilyOfTests(
        tests=int((monitored * (3 + 2 * numeric)).sum()) + unseen,
        unseen=unseen,
        scales=len(spec.scales),
        segments=1 + sum(len(segment.values) + 1 for segment in spec.segments),
    )


def cell_widths(layout: CellsLayout, order: ComparisonOrder, reference: Counts) -> Float64s:
    """Return the widths as of `relative_widths`, shape ``(compared,)``; NaN for categorical columns.

    Args:
        reference: Shape ``(compared,)``. The reference's counts, in the order of comparison.
    """
    low = np.concatenate([_bounds(column)[:-1] for column in layout.columns])
    high = np.concatenate([_bounds(column)[1:] for column in layout.columns])
    return relative_widths(reference, low=low, high=high, starts=order.columns)


def _bounds(column: ColumnCells) -> Float64s:
    """Return where the compared cells of *column* begin and end; categories have no extent."""
    if column.kind is ColumnKind.CATEGORICAL:
        return np.zeros(column.cells + 1)
    # What is below the minimum or above the maximum counts as if it were there.
    return np.array([column.edges[0], *column.edges, column.maximum, column.maximum])


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReference:
    """A model's reference, ready to be compared with windows; arrays have one entry per column of the layout.

    Attributes:
        reference: The reference's counts, in the order of comparison.
        monitored: Judged, not only shown: monitored features and the prediction, not the latency.
        numeric: Has a KS distance and far values.
        constant: A numeric column with a single value in the reference: any other value is unseen.
        importance: As in the spec, else as in the reference; None for the prediction.
        family: The tests that share the spec's error probability.
        alpha: Error probability of one of them; `unseen_alpha`: of one that is about unseen values.
        seasonal: Hour profiles of the columns that are compared with the same hours; None when none is.
        anytime: The columns of `rule: anytime`; None when there is none.
        movements: By window length in minutes, one for each scale of the spec.
        widths: Shape ``(compared,)``, as from `cell_widths`; None unless the Wasserstein distance is asked for.
        own: Compared with the version's own traffic, not with the model's reference: columns of the prediction.
        warming: Shown, not judged for drift, while the version's own traffic is being learnt.
    """

    layout: CellsLayout
    bins: tuple[tuple[int, ...], ...]
    order: ComparisonOrder
    reference: Sample
    monitored: Mask
    numeric: Mask
    constant: Mask
    importance: tuple[float | None, ...]
    family: FamilyOfTests
    alpha: float
    unseen_alpha: float
    seasonal: SeasonalReference | None
    anytime: AnytimeWatch | None
    movements: dict[int, ScaleMovement]
    drift: DriftSpec
    min_events: int
    widths: Float64s | None
    own: Mask
    warming: Mask

    def sample(self, counts: Counts) -> Sample:
        """Return the counts of one span of time, in the order of comparison.

        Raises:
            BinMismatchError: *counts* was not counted on this layout.
        """
        return sample_of(counts, order=self.order, constant=self.constant)

    def reference_of(self, hours: Hours | None) -> Sample:
        """Return what a span of time is compared with, whose events came in *hours*.

        Raises:
            ValueError: Columns are compared by the hour, and *hours* is None.
        """
        if self.seasonal is None:
            return self.reference
        if hours is None:
            raise ValueError("a seasonal reference needs the hours in which the window's events came")
        return self.seasonal.mixed(self.reference, hours, self.order)

    def cell_number(self, column: int, compared: int) -> int:
        """Return which of *column*'s cells stands at *compared* in the order of comparison."""
        return int(self.order.gather[compared]) - self.layout.spans[column].start


def prepare_reference(
    spec: ModelSpec, profile: ReferenceProfile, *, own: OwnPrediction | None = None, warming: bool = False
) -> PreparedReference:
    """Return *profile* prepared for the rules of *spec*.

    Args:
        own: What the prediction of one version is compared with instead.
        warming: Of a version whose own prediction is not known yet.

    Raises:
        BinMismatchError: The profile's bins do not fit its cells.
    """
    layout = profile.layout
    known = {column.name: column for column in profile.columns}
    references = tuple(known.get(column.name, ColumnReference(name=column.name, bins=())) for column in layout.columns)
    bins = tuple(_bins_of(column, reference) for column, reference in zip(layout.columns, references, strict=True))
    order = comparison_order(layout, bins)
    numeric = np.array([column.kind is ColumnKind.NUMERIC for column in layout.columns], dtype=np.bool_)
    constant = np.array([column.points == (True,) for column in layout.columns], dtype=np.bool_)
    monitored = np.array([_is_monitored(column, spec) for column in layout.columns], dtype=np.bool_)
    family = family_of(spec, monitored=monitored, numeric=numeric, constant=constant)
    of_model = reference = sample_of(profile.counts, order=order, constant=constant)
    prediction = np.array([column.role.of_prediction for column in layout.columns], dtype=np.bool_)
    is_own = np.zeros_like(prediction)
    if own is not None:
        sample = sample_of(own.counts, order=order, constant=constant)
        is_own = prediction & (sample.n > 0)
        reference = with_own_prediction(
            of_model, sample, columns=is_own, references=references, minutes=own.minutes, order=order
        )
        references = without_season(references, is_own)
    seasonal = seasonal_reference(profile, references, drift=spec.drift, reference=reference, order=order)
    by_hour = np.zeros(len(references), dtype=np.bool_) if seasonal is None else seasonal.columns
    alpha = family.alpha_of_others(spec.drift.alpha)
    wants_widths = FurtherStatistic.WASSERSTEIN in spec.drift.statistics
    return PreparedReference(
        layout=layout,
        bins=bins,
        order=order,
        reference=reference,
        monitored=monitored,
        numeric=numeric,
        constant=constant,
        importance=tuple(_importance(column, spec, profile) for column in layout.columns),
        family=family,
        alpha=alpha,
        unseen_alpha=family.alpha_of_unseen(spec.drift.alpha),
        seasonal=seasonal,
        anytime=anytime_watch(spec, layout, order=order, reference=reference, alpha=alpha),
        movements={
            scale.length: scale_movement(
                profile,
                references,
                bins=order.bins_per_column,
                n=of_model.n,
                length=scale.length,
                by_hour=by_hour,
                moving_shares=(of_model.shares > 0) & (of_model.shares < of_model.totals),
                alpha=alpha,
            )
            for scale in spec.scales
        },
        drift=spec.drift,
        min_events=spec.windows.min_events,
        widths=cell_widths(layout, order, reference.cells) if wants_widths else None,
        own=is_own,
        warming=prediction & warming,
    )


def _bins_of(column: ColumnCells, reference: ColumnReference) -> tuple[int, ...]:
    # The latency has cells but no reference: one bin, which cannot move.
    bins = reference.bins or (0,) * column.cells
    if len(bins) != column.cells:
        raise BinMismatchError(f"{column.name}: expected a bin for each of {column.cells} cells, found {len(bins)}")
    return bins


def _is_monitored(column: ColumnCells, spec: ModelSpec) -> bool:
    if column.role is ColumnRole.FEATURE:
        feature = spec.columns.get(column.name)
        return feature is not None and feature.monitor
    return column.role is not ColumnRole.LATENCY


def _importance(column: ColumnCells, spec: ModelSpec, profile: ReferenceProfile) -> float | None:
    feature = spec.columns.get(column.name) if column.role is ColumnRole.FEATURE else None
    if feature is None:
        return None
    return profile.importance.get(column.name) if feature.importance is None else feature.importance
