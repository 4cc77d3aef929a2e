"""NannyML's univariate drift: Jensen-Shannon and Kolmogorov-Smirnov against mean +- 3 std of the reference's chunks."""

import warnings
from collections.abc import Iterator

import nannyml
import pandas as pd
from nannyml.thresholds import StandardDeviationThreshold

from benchmarks.detection.peers.windows import TIME, PeerWindows, is_categorical, strongest_first


def nannyml_js(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window whose Jensen-Shannon distance alarms."""
    return _alarming(windows, method="jensen_shannon")


def nannyml_ks(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window whose KS statistic alarms; Jensen-Shannon of categories."""
    return _alarming(windows, method="kolmogorov_smirnov")


def _alarming(windows: PeerWindows, *, method: str) -> Iterator[list[str]]:
    threshold = StandardDeviationThreshold(std_lower_multiplier=3, std_upper_multiplier=3)
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(windows.columns),
        treat_as_categorical=[name for name in windows.columns if is_categorical(windows.reference[name])],
        timestamp_column_name=TIME,
        chunk_period=windows.period,
        continuous_methods=[method],
        categorical_methods=["jensen_shannon"],
        thresholds={method: threshold, "jensen_shannon": threshold},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a chunk under 300 rows, an empty period
        calculator.fit(windows.reference)
        found = calculator.calculate(windows.current).filter(period="analysis").to_df(multilevel=False)
    starts = {pd.Timestamp(row.chunk_start_date).floor("s"): row for row in found.itertuples(index=False)}
    for window in windows:
        row = starts.get(window[TIME].iloc[0].to_period(windows.period).start_time) if len(window) else None
        yield [] if row is None else _columns_of(row, windows, method)


def _columns_of(row: tuple, windows: PeerWindows, method: str) -> list[str]:
    excess = {}
    for name in windows.columns:
        used = "jensen_shannon" if is_categorical(windows.reference[name]) else method
        if getattr(row, f"{name}_{used}_alert"):
            excess[name] = getattr(row, f"{name}_{used}_value") / getattr(row, f"{name}_{used}_upper_threshold")
    return strongest_first(excess)
