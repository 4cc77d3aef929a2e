"""Which columns of a reference table mean what."""

from dataclasses import dataclass

from monitor.reference.cells import ColumnRole
from monitor.spec import ColumnKind
from monitor.types import Season

PREDICTION_PREFIX = "prediction."
LATENCY_COLUMN = "latency_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedColumn:
    """One column that gets cells: *source* is its name in the table, *name* the one in the layout."""

    name: str
    source: str
    kind: ColumnKind
    role: ColumnRole = ColumnRole.FEATURE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDescription:
    """What each column of a reference table is; names are those of the table.

    Attributes:
        features: Name and kind of each feature, in the order in which they are counted.
        score, label, value: Columns of the model's prediction.
        truth: What turned out to be true.
        timestamp: Event times; None for a reference without time.
        lengths: Window lengths in minutes for which natural movement is wanted.
        season: The cycle by whose hours the reference is kept besides, when its time covers the cycle often enough.
        threshold: Score from which on *positive* is predicted when there is no label; *negative* below it.
    """

    features: tuple[tuple[str, ColumnKind], ...]
    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    timestamp: str | None = None
    lengths: tuple[int, ...] = ()
    season: Season | None = Season.HOUR_OF_DAY
    threshold: float = 0.5
    positive: str = "1"
    negative: str = "0"

    @property
    def counted(self) -> tuple[CountedColumn, ...]:
        """Features, then the parts of the prediction, in the order of the layout."""
        features = [CountedColumn(name=name, source=name, kind=kind) for name, kind in self.features]
        parts = (
            (self.score, ColumnKind.NUMERIC, ColumnRole.SCORE),
            (self.label, ColumnKind.CATEGORICAL, ColumnRole.LABEL),
            (self.value, ColumnKind.NUMERIC, ColumnRole.VALUE),
        )
        predictions = [
            CountedColumn(name=PREDICTION_PREFIX + role, source=source, kind=kind, role=role)
            for source, kind, role in parts
            if source is not None
        ]
        return (*features, *predictions)

    @property
    def sources(self) -> tuple[str, ...]:
        """Every column of the table that is read."""
        others = (self.truth, self.timestamp)
        return tuple(
            dict.fromkeys([*(each.source for each in self.counted), *(name for name in others if name is not None)])
        )
