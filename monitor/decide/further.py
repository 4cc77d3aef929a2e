"""The statistics that a spec asks for beyond PSI and KS: computed for all columns at once, shown, judged by nothing."""

from collections.abc import Callable

from monitor.decide.prepare import Prepared
from monitor.decide.sample import Sample
from monitor.findings import FurtherStatistics
from monitor.spec import FurtherStatistic
from monitor.stats.chi_squared import chi_squared_tests
from monitor.stats.columnar import Reals
from monitor.stats.divergences import (
    hellinger_distances,
    jensen_shannon_distances,
    kullback_leibler_divergences,
    l_infinity_distances,
    total_variation_distances,
)
from monitor.stats.wasserstein import wasserstein_distances

Numbers = list[float | None]


def further_statistics(
    prepared: Prepared, *, reference: Sample, current: Sample
) -> tuple[FurtherStatistics | None, ...]:
    """Return the wanted statistics of each column of the layout, None where the spec wants none.

    On the reference's bins; the Wasserstein distance of numeric columns on their cells.
    """
    columns, wanted = len(prepared.layout.columns), prepared.drift.statistics
    if not wanted:
        return (None,) * columns
    starts = prepared.order.columns_of_bins
    nothing: Numbers = [None] * columns

    def of_bins(name: FurtherStatistic, distances: Callable[..., Reals]) -> Numbers:
        return _numbers(distances(reference.bins, current.bins, starts=starts)) if name in wanted else nothing

    jensen_shannon = of_bins(FurtherStatistic.JENSEN_SHANNON, jensen_shannon_distances)
    kullback_leibler = of_bins(FurtherStatistic.KULLBACK_LEIBLER, kullback_leibler_divergences)
    hellinger = of_bins(FurtherStatistic.HELLINGER, hellinger_distances)
    total_variation = of_bins(FurtherStatistic.TOTAL_VARIATION, total_variation_distances)
    l_infinity = of_bins(FurtherStatistic.L_INFINITY, l_infinity_distances)
    chi_squared, p_values = nothing, nothing
    freedoms: list[int] | list[None] = [None] * columns
    if FurtherStatistic.CHI_SQUARED in wanted:
        tests = chi_squared_tests(reference.bins, current.bins, starts=starts)
        chi_squared, p_values = _numbers(tests.statistics), _numbers(tests.p_values)
        freedoms = tests.freedoms.tolist()
    wasserstein = nothing
    if prepared.widths is not None:
        wasserstein = _numbers(
            wasserstein_distances(reference.cells, current.cells, widths=prepared.widths, starts=prepared.order.columns)
        )
    return tuple(
        FurtherStatistics(
            jensen_shannon=jensen_shannon[at],
            kullback_leibler=kullback_leibler[at],
            hellinger=hellinger[at],
            total_variation=total_variation[at],
            l_infinity=l_infinity[at],
            chi_squared=chi_squared[at],
            chi_squared_freedom=freedoms[at],
            chi_squared_p=p_values[at],
            wasserstein=wasserstein[at],
        )
        for at in range(columns)
    )


def _numbers(values: Reals) -> Numbers:
    return [None if each != each else each for each in values.tolist()]
