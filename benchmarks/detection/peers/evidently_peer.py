"""Evidently's data drift of each column: its own statistical tests with its own thresholds."""

import time
from collections.abc import Iterator

import pandas as pd
from evidently import Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

from benchmarks.detection.peers.windows import PeerWindows, is_categorical, present, strongest_first


def evidently_default(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the drifted columns of each window by the test that Evidently chooses for the column."""
    return _drifted(windows, test=None)


def evidently_psi(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the drifted columns of each window by Evidently's PSI and its threshold."""
    return _drifted(windows, test="psi")


def report_cpu_seconds(windows: PeerWindows, *, limit: int) -> list[float]:
    """Return the CPU of a whole data drift report for each of the first *limit* windows, as a user would run it.

    One report before them warms up what is loaded on first use and is left out.
    """
    spent, columns = [], list(windows.columns)
    for number, window in zip(range(limit + 1), _again_first(windows), strict=False):
        begun = time.process_time()
        Report([DataDriftPreset()]).run(window[columns].reset_index(drop=True), windows.sample[columns]).dict()
        if number:
            spent.append(time.process_time() - begun)
    return spent


def _again_first(windows: PeerWindows) -> Iterator[pd.DataFrame]:
    yield next(iter(windows))
    yield from windows


def _drifted(windows: PeerWindows, *, test: str | None) -> Iterator[list[str]]:
    for window in windows:
        excess: dict[str, float] = {}
        for name in windows.columns:
            reference, current = present(windows.sample[name]), present(window[name])
            if current.empty:
                continue  # Evidently refuses a column without values
            kind = ColumnType.Categorical if is_categorical(reference) else ColumnType.Numerical
            if kind is ColumnType.Categorical:
                reference, current = reference.astype(object), current.astype(object)
            result = get_stattest(reference, current, kind, test)(reference, current, kind, None)
            if result.drifted:
                excess[name] = float(result.drift_score) / result.actual_threshold
        yield strongest_first(excess)
