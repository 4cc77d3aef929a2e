"""The peers' own statistics of given samples: JSON in on standard input, JSON out; for `tests/agreement`."""

import json
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from evidently.legacy.calculations import stattests
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from nannyml.drift.univariate.methods import FeatureType, MethodFactory

EVIDENTLY = {
    "categorical": ("psi", "jensenshannon", "kl_div", "hellinger", "TVD"),
    "numeric": ("psi", "jensenshannon", "kl_div", "hellinger", "wasserstein", "ks"),
}
NANNYML = {
    "categorical": ("jensen_shannon", "hellinger", "l_infinity", "chi2"),
    "numeric": ("jensen_shannon", "hellinger", "wasserstein", "kolmogorov_smirnov"),
}
EVIDENTLY_TOTAL_VARIATION = stattests.tvd_stattest._total_variation_distance


def main() -> None:
    """Answer every case: ``{"kind", "reference", "current"}`` gives a number for each of the peers' statistics."""
    json.dump([_statistics(**case) for case in json.load(sys.stdin)], sys.stdout)


def _statistics(*, kind: str, reference: list[object], current: list[object]) -> dict[str, float]:
    samples = pd.Series(reference), pd.Series(current)
    if kind == "categorical":
        samples = samples[0].astype(object), samples[1].astype(object)
    values = {f"evidently {name}": _evidently(name, kind)(*samples) for name in EVIDENTLY[kind]}
    feature = FeatureType.CATEGORICAL if kind == "categorical" else FeatureType.CONTINUOUS
    for name in NANNYML[kind]:
        method = MethodFactory.create(key=name, feature_type=feature, chunker=None, threshold=None)
        values[f"nannyml {name}"] = float(method._fit(samples[0])._calculate(samples[1]))
    return values


def _evidently(name: str, kind: str) -> Callable[[pd.Series, pd.Series], float]:
    if name == "TVD":  # as a test Evidently shows the p-value of permutations
        return lambda reference, current: float(EVIDENTLY_TOTAL_VARIATION(reference, current))
    column = ColumnType.Categorical if kind == "categorical" else ColumnType.Numerical

    def score(reference: pd.Series, current: pd.Series) -> float:
        test = get_stattest(reference, current, column, name)
        return float(np.float64(test(reference.copy(), current.copy(), column, None).drift_score))

    return score


if __name__ == "__main__":
    main()
