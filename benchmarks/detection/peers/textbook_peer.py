"""The textbook rule from raw samples: PSI on the reference's deciles above 0.1 or 0.2."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.detection.peers.windows import PeerWindows, is_categorical, present, strongest_first

FLOOR = 1e-4  # an empty bin's share, as textbooks put it


def textbook_psi_one(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window with PSI > 0.1."""
    return _above(windows, 0.1)


def textbook_psi_two(windows: PeerWindows) -> Iterator[list[str]]:
    """Yield the columns of each window with PSI > 0.2."""
    return _above(windows, 0.2)


def _above(windows: PeerWindows, limit: float) -> Iterator[list[str]]:
    references = {name: present(windows.reference[name]) for name in windows.columns}
    edges = {
        name: np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
        for name, values in references.items()
        if not is_categorical(values)
    }
    shares = {name: _shares(values, edges.get(name)) for name, values in references.items()}
    for window in windows:
        indexes = {}
        for name, reference in shares.items():
            current = present(window[name])
            if len(current):
                indexes[name] = _psi(reference, _shares(current, edges.get(name)))
        yield strongest_first({name: psi for name, psi in indexes.items() if psi > limit})


def _shares(values: pd.Series, edges: np.ndarray | None) -> pd.Series:
    if edges is None:
        return values.astype(str).value_counts(normalize=True)
    counts = np.bincount(np.searchsorted(edges, values.to_numpy(), side="left"), minlength=edges.size + 1)
    return pd.Series(counts / len(values))


def _psi(reference: pd.Series, current: pd.Series) -> float:
    p, q = (shares.clip(lower=FLOOR) for shares in reference.align(current, fill_value=0.0))
    return float(((p - q) * np.log(p / q)).sum())
