"""Which columns of the replayed tables become which fields of the events."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.errors import SpecError
from monitor.reference.arrow_columns import UncountableColumn, epoch_millis


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayColumns:
    """Names in the tables; *tags* are (tag, column).

    Attributes:
        truth: In the predictions' table, or in the truths' table when there is one.
        version: The column with each row's version; None when all rows are of one.
    """

    identity: str
    features: tuple[str, ...]
    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    timestamp: str | None = None
    tags: tuple[tuple[str, str], ...] = field(default=())

    @property
    def of_predictions(self) -> tuple[str, ...]:
        """Every column the predictions' table must have, whatever the truths."""
        parts = (self.score, self.label, self.value, self.timestamp)
        tags = (column for _, column in self.tags)
        wanted = (self.identity, *self.features, *(each for each in parts if each is not None), *tags)
        return tuple(dict.fromkeys(wanted))


def require_columns(table: pa.Table, names: tuple[str, ...], *, source: str) -> None:
    """Return when *table* has every one of *names*.

    Raises:
        SpecError: Names each one that is not there.
    """
    known = ", ".join(table.column_names)
    problems = tuple(
        f"column {name!r}: expected one of {known}; found none" for name in names if name not in table.column_names
    )
    if problems:
        raise SpecError(source, problems)


def event_times(
    table: pa.Table, *, timestamp: str | None, start: int | None, every: int | None, source: str
) -> npt.NDArray[np.int64]:
    """Return each row's event time in ms: its *timestamp*, or *start* and *every* so many ms one more.

    Raises:
        SpecError: The column holds no times, or neither way is given, or both.
    """
    if (timestamp is None) == (start is None or every is None):
        raise SpecError(
            source, ("event times: expected --timestamp COL, or --start and --every; found neither or both",)
        )
    if timestamp is None:
        assert start is not None
        assert every is not None
        return start + np.arange(table.num_rows, dtype=np.int64) * every
    try:
        return np.asarray(epoch_millis(table[timestamp]), dtype=np.int64)
    except UncountableColumn as error:
        raise SpecError(source, (f"column {timestamp!r}: {error}",)) from error
