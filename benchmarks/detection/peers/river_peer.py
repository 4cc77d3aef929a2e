"""River's detectors, one per column, fed event by event: ADWIN, Page-Hinkley, KSWIN with their defaults."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from river import base, drift

from benchmarks.detection.peers.windows import PeerWindows, is_categorical

WARM_UP_ROWS = 20_000
KSWIN_STRIDE = 50  # KSWIN makes a KS test at every event, 0.3 ms: it is fed one event in fifty


def river_adwin(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window in which ADWIN detected a change."""
    return _changed(windows, drift.ADWIN)


def river_page_hinkley(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window in which Page-Hinkley detected a change."""
    return _changed(windows, drift.PageHinkley)


def river_kswin(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window in which KSWIN, fed one event in fifty, detected a change."""
    return _changed(windows, lambda: drift.KSWIN(seed=1), stride=KSWIN_STRIDE)


def _changed(windows: PeerWindows, make: Callable[[], base.DriftDetector], *, stride: int = 1) -> Iterator[list[str]]:
    """Yield per window the columns by how often their detector fired; it has seen the reference's last rows before."""
    fired: list[dict[str, int]] = [{} for _ in windows.bounds]
    for name in windows.columns:
        detector, codes = make(), _codes(windows, name)
        for value in _numbers(windows.reference[name].iloc[-WARM_UP_ROWS:], codes)[::stride]:
            detector.update(value)
        for number, window in enumerate(windows):
            for value in _numbers(window[name], codes)[::stride]:
                detector.update(value)
                if detector.drift_detected:
                    fired[number][name] = fired[number].get(name, 0) + 1
    for window_fired in fired:
        yield sorted(window_fired, key=lambda name: (-window_fired[name], name))


def _codes(windows: PeerWindows, name: str) -> dict[str, float] | None:
    """Return a number for each category, the most frequent first, as these detectors know numbers only."""
    if not is_categorical(windows.reference[name]):
        return None
    return {str(text): float(code) for code, text in enumerate(windows.reference[name].value_counts().index)}


def _numbers(values: pd.Series, codes: dict[str, float] | None) -> list[float]:
    kept = values.dropna()
    if codes is None:
        return kept.to_numpy(dtype=np.float64).tolist()
    return [codes.get(text, float(len(codes))) for text in kept.astype(str)]
