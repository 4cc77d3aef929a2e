"""NannyML's univariate drift: Jensen-Shannon and Kolmogorov-Smirnov against mean +- 3 std of the reference's chunks."""

import warnings
from collections.abc import Iterator
from typing import Any

import nannyml
import numpy as np
import pandas as pd
from nannyml.thresholds import StandardDeviationThreshold

from benchmarks.detection.peers.windows import TIME, PeerWindows, is_categorical, strongest_first

WINDOW, DAY = "window", 86_400_000


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
        timestamp_column_name=WINDOW,
        chunk_period="D",
        continuous_methods=[method],
        categorical_methods=["jensen_shannon"],
        thresholds={method: threshold, "jensen_shannon": threshold},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a chunk under 300 rows, an empty period
        calculator.fit(_a_day_a_window(windows, windows.reference))
        current = _a_day_a_window(windows, windows.current)
        result = calculator.calculate(current).filter(period="analysis").to_df(multilevel=False)
    by_window = {pd.Timestamp(row["chunk_start_date"]).floor("D"): row for row in result.to_dict("records")}
    for first, stop in windows.bounds:
        row = by_window.get(current[WINDOW].iloc[first].floor("D")) if stop > first else None
        yield [] if row is None else _columns_of(row, windows, method)


def _a_day_a_window(windows: PeerWindows, frame: pd.DataFrame) -> pd.DataFrame:
    """Return *frame* with a time in which each window is a day, which NannyML can cut by itself."""
    origin = int(_millis(windows.reference)[0]) // windows.length
    millis = _millis(frame)
    scaled = (millis // windows.length - origin) * DAY + (millis % windows.length) * DAY // windows.length
    return frame.assign(**{WINDOW: pd.to_datetime(scaled, unit="ms")}).drop(columns=TIME)


def _millis(frame: pd.DataFrame) -> np.ndarray:
    return frame[TIME].to_numpy().astype("datetime64[ms]").astype(np.int64)


def _columns_of(row: dict[str, Any], windows: PeerWindows, method: str) -> list[str]:
    excess = {}
    for name in windows.columns:
        used = "jensen_shannon" if is_categorical(windows.reference[name]) else method
        if row[f"{name}_{used}_alert"]:
            limit = row[f"{name}_{used}_upper_threshold"]  # 0 where the reference never moved, None past the possible
            excess[name] = row[f"{name}_{used}_value"] / (limit or 1e-9)
    return strongest_first(excess)
