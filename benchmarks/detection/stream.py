"""A stream: a reference, what came after it, and what changed in it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa

from monitor.arrays import Int64s

TIME, SCORE, LABEL, TRUTH, TRUTH_TIME, IDENTITY = "at", "score", "label", "truth", "truth_at", "id"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class ChangeKind(StrEnum):
    """What happens to a column, or to the model's errors, from a moment on."""

    SHIFT = "shift"
    GRADUAL = "gradual"
    MISSING = "missing"
    NEW_CATEGORY = "new_category"
    UNIT = "unit"
    CONSTANT = "constant"
    ERRORS = "errors"

    @property
    def expected_incident(self) -> str:
        """The kind of incident that names the change as what it is."""
        if self in (ChangeKind.SHIFT, ChangeKind.GRADUAL):
            return "drift"
        return "performance" if self is ChangeKind.ERRORS else "data_quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What truly changed; times in epoch milliseconds.

    Attributes:
        columns: Names of the columns that changed; empty for errors.
        size: Standard deviations of a shift, share of missing values and of a new category, factor of a unit.
        stop: When the columns are as before; None: never.
    """

    kind: ChangeKind
    columns: tuple[str, ...]
    size: float
    start: int
    stop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A fall of the model's accuracy, in one step or in many, until *stop* (ms).

    Attributes:
        steps: When each lower accuracy began (ms), and the accuracy; in order of time.
    """

    steps: tuple[tuple[int, float], ...]
    stop: int

    @property
    def start(self) -> int:
        """When the first lower accuracy began (ms)."""
        return self.steps[0][0]

    def accuracy_at(self, moment: int) -> float:
        """Return the accuracy of predictions at *moment* (ms), not before the start."""
        return [accuracy for begun, accuracy in self.steps if begun <= moment][-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream.

    Attributes:
        reference, current: Column `at` (``timestamp[ms, UTC]``, in order of event), then the features, `score` where
            there is a model, and with truths `label` and `truth`; in *current* then also `id` and `truth_at`, when
            the truth arrived.
        change: None: nothing that a monitor should find, but for *falls*.
        second: A change of another column, after the first began.
        falls: Of the accuracy, where that is what happens.
    """

    name: str
    seed: int
    reference: pa.Table
    current: pa.Table
    change: Change | None = None
    second: Change | None = None
    falls: tuple[Fall, ...] = ()

    @property
    def quiet_until(self) -> int | None:
        """When the first thing happens that a monitor should find (ms); None: nothing does."""
        if self.change is not None:
            return self.change.start
        return self.falls[0].start if self.falls else None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the feature columns."""
        others = {TIME, SCORE, LABEL, TRUTH, TRUTH_TIME, IDENTITY}
        return tuple(name for name in self.reference.column_names if name not in others)

    @property
    def watched(self) -> tuple[str, ...]:
        """Names of the features and of the score."""
        return (*self.features, *(name for name in (SCORE,) if name in self.reference.column_names))

    @property
    def has_truths(self) -> bool:
        """Whether predictions and what turned out to be true are there."""
        return TRUTH in self.current.column_names


def times_of(table: pa.Table, name: str = TIME) -> Int64s:
    """Return a column of times as epoch milliseconds, shape ``(rows,)``."""
    return np.ascontiguousarray(table[name].cast(pa.int64()).to_numpy(), dtype=np.int64)


def time_column(times: Int64s) -> pa.Array:
    """Return epoch milliseconds as ``timestamp[ms, UTC]``."""
    return pa.array(times, type=pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
