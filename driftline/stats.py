"""The statistics of Driftline for arrays in a notebook: ``from driftline import stats``.

Count two samples on the same bins, then ask how far apart the counts are. The reference always comes first.

===========================  ========================================  ============================================
Column                       Count it by                               Ask
===========================  ========================================  ============================================
a number                     `decile_counts`                           `population_stability_index`, then
                                                                       `proven_stability_index`: is it more than
                                                                       chance? (`proven_lower_bound`: of an index alone)
a number, in raw values      `value_counts`                            `kolmogorov_smirnov`, `wasserstein_distance`;
                                                                       `two_sample_ks_p_value`
a category                   `category_counts`                         `total_variation_distance`,
                                                                       `jensen_shannon_distance`,
                                                                       `hellinger_distance`; `chi_squared_test`
a share, a rate, accuracy    how many, of how many                     `wilson_interval`, `newcombe_difference`
many columns at once         a p-value each                            `benjamini_hochberg`
===========================  ========================================  ============================================

Pure functions of arrays: no configuration, no clock, no services; numpy and scipy are all that is imported. They are
the statistics that the monitor computes for its windows. Guide: docs/statistics-in-your-notebook.md.
"""

from monitor.stats.chi_squared import chi_squared_test
from monitor.stats.divergences import hellinger_distance, jensen_shannon_distance, total_variation_distance
from monitor.stats.false_discovery import benjamini_hochberg
from monitor.stats.kolmogorov_smirnov import kolmogorov_smirnov, two_sample_ks_p_value
from monitor.stats.proportions import newcombe_difference, wilson_interval
from monitor.stats.psi import population_stability_index
from monitor.stats.psi_bounds import proven_lower_bound
from monitor.stats.psi_variance import proven_stability_index
from monitor.stats.raw_samples import category_counts, decile_counts, value_counts
from monitor.stats.wasserstein import wasserstein_distance

__all__ = [
    "decile_counts",
    "category_counts",
    "value_counts",
    "population_stability_index",
    "proven_stability_index",
    "proven_lower_bound",
    "kolmogorov_smirnov",
    "two_sample_ks_p_value",
    "wasserstein_distance",
    "jensen_shannon_distance",
    "hellinger_distance",
    "total_variation_distance",
    "chi_squared_test",
    "wilson_interval",
    "newcombe_difference",
    "benjamini_hochberg",
]
