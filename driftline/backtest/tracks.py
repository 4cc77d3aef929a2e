"""How each column's PSI went over time, at every scale: its largest values by time bucket, whatever the traffic."""

import numpy as np
import numpy.typing as npt

from driftline.backtest.buckets import TimeBuckets
from monitor.results import ColumnResult
from monitor.types import Scale

Floats = npt.NDArray[np.float32]
_PSI, _PROVEN = 0, 1


class PsiTracks:
    """Kept by version and scale; memory is columns x buckets, not windows."""

    def __init__(self, buckets: TimeBuckets) -> None:
        self.buckets = buckets
        self.names: tuple[str, ...] = ()
        self._kept: dict[tuple[str, Scale], Floats] = {}

    def add(self, version: str, scale: Scale, *, end: int, columns: tuple[ColumnResult, ...]) -> None:
        """Take in the numbers of one window that ended at *end* (ms)."""
        if not columns:
            return
        if not self.names:
            self.names = tuple(each.name for each in columns)
        key = (version, scale)
        if key not in self._kept:
            self._kept[key] = np.full((2, len(self.names), self.buckets.count), np.nan, dtype=np.float32)
        found = np.array([[_number(each.psi) for each in columns], [_number(each.psi_low) for each in columns]])
        at = self._kept[key][:, :, self.buckets.of_end(end)]
        np.fmax(at, found, out=at, casting="same_kind")

    @property
    def keys(self) -> tuple[tuple[str, Scale], ...]:
        """Every version and scale that had a judged column, in order."""
        return tuple(sorted(self._kept))

    def psi(self, version: str, scale: Scale) -> Floats:
        """Return the largest PSI; shape ``(columns, buckets)``, NaN where nothing was measured."""
        found: Floats = self._kept[version, scale][_PSI]
        return found

    def proven(self, version: str, scale: Scale) -> Floats:
        """Return the largest proven lower bound; NaN where PSI passed no tier."""
        found: Floats = self._kept[version, scale][_PROVEN]
        return found


def _number(value: float | None) -> float:
    return np.nan if value is None else value
