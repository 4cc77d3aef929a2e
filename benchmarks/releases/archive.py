"""Conclusive windows of a generated release, in memory, as the guard looks at them."""

from dataclasses import dataclass, field

from alerting.actions.windows import ConclusiveWindow
from benchmarks.releases.windows import Judged
from monitor.types import EvaluationKind


@dataclass(slots=True)
class MemoryArchive:
    """Conclusive windows in memory."""

    windows: dict[tuple[str, EvaluationKind, int], list[ConclusiveWindow]] = field(default_factory=dict)

    def add(self, judged: Judged) -> None:
        """Add the window, if it is conclusive."""
        if judged.window is not None:
            key = judged.series.version, judged.kind, judged.scale.length
            self.windows.setdefault(key, []).append(judged.window)

    def newest(
        self, version: str, kind: EvaluationKind, *, length: int, first_end: int, last_end: int
    ) -> ConclusiveWindow | None:
        """Return the newest one of *length* minutes that ends in ``[first_end, last_end]`` (ms)."""
        for window in reversed(self.windows.get((version, kind, length), ())):
            if window.end <= last_end:
                return window if window.end >= first_end else None
        return None

    def oldest_mature(self, version: str, *, length: int, first_end: int, last_end: int) -> ConclusiveWindow | None:
        """Return the oldest one of accuracy that ends in ``[first_end, last_end]`` (ms)."""
        known = self.windows.get((version, EvaluationKind.PERFORMANCE, length), ())
        fitting = (window for window in known if first_end <= window.end <= last_end)
        return min(fitting, key=lambda window: window.end, default=None)
