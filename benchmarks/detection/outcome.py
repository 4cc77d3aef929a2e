"""Everything that one run of the benchmark measured, as a value and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.detection.compare import Compared
from benchmarks.detection.measures import Run
from benchmarks.detection.target_rows import detection
from benchmarks.detection.targets import Reached, reached
from benchmarks.detection.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of the benchmark.

    Attributes:
        date: Of the run, ``YYYY-MM-DD``.
        published: Its seeds are those that nothing was tuned on.
        runs: Driftline's, by the stream's name.
        compared: Streams judged by Driftline and every peer, the real sets too.
        timing: CPU by method; None where it was not measured.
    """

    date: str
    published: bool
    short: bool
    runs: Mapping[str, Sequence[Run]]
    compared: Sequence[Compared]
    timing: Timing | None = None

    @property
    def reached(self) -> tuple[Reached, ...]:
        """Every target and what was measured."""
        return reached(self.runs)


def write_outcome(outcome: Outcome, path: Path) -> None:
    """Write *outcome* to *path*; what is infinite or not measured becomes null."""
    document = {
        "date": outcome.date,
        "published": outcome.published,
        "short": outcome.short,
        "targets": [{**asdict(target), "met": target.met} for target in outcome.reached],
        "detection": {name: asdict(result) for name, runs in outcome.runs.items() if (result := detection(runs))},
        "runs": {name: [asdict(run) for run in runs] for name, runs in outcome.runs.items()},
        "compared": [asdict(comparison) for comparison in outcome.compared],
        "cpu": None if outcome.timing is None else asdict(outcome.timing),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_finite(document), indent=1) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
