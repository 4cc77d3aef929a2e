"""Kolmogorov-Smirnov tests by scipy, corrected for the number of columns; chi-squared tests of categories."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.detection.peers.windows import PeerWindows, is_categorical, present, strongest_first

LEVEL = 0.05


def scipy_bonferroni(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window with p < 0.05 / columns."""
    for p_values in _p_values(windows):
        limit = LEVEL / max(len(p_values), 1)
        yield strongest_first({name: 1.0 - p for name, p in p_values.items() if p < limit})


def scipy_benjamini_hochberg(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window that Benjamini-Hochberg rejects at a false discovery rate of 5 %."""
    for p_values in _p_values(windows):
        adjusted = stats.false_discovery_control(list(p_values.values())) if p_values else []
        kept = dict(zip(p_values, adjusted, strict=True))
        yield strongest_first({name: 1.0 - float(p) for name, p in kept.items() if p < LEVEL})


def scipy_plain(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window with p < 0.05: half of the textbook rule."""
    for p_values in _p_values(windows):
        yield strongest_first({name: 1.0 - p for name, p in p_values.items() if p < LEVEL})


def _p_values(windows: PeerWindows) -> Iterator[dict[str, float]]:
    references = {name: present(windows.sample[name]) for name in windows.columns}
    for window in windows:
        p_values = {}
        for name, reference in references.items():
            current = present(window[name])
            if len(current):
                p_values[name] = _p_value(reference, current)
        yield p_values


def _p_value(reference: pd.Series, current: pd.Series) -> float:
    if not is_categorical(reference):
        return float(stats.ks_2samp(reference.to_numpy(), current.to_numpy(), method="asymp").pvalue)
    counts = pd.DataFrame({"r": reference.astype(str).value_counts(), "c": current.astype(str).value_counts()}).fillna(
        0
    )
    if len(counts) < 2:
        return 1.0
    return float(stats.chi2_contingency(np.asarray(counts, dtype=np.float64).T).pvalue)
