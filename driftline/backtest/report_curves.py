"""The part of a backtest's document that is drawn as curves over time; names are stable, as in `report`."""

import msgspec


class AccuracyPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of one window, and its interval."""

    end: str
    accuracy: float
    low: float
    high: float


class AccuracyPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the truths showed.

    Attributes:
        labelled, correct, accuracy: Over all predictions that met their truth.
        reference_accuracy: None where the reference has no truths.
        windows: Mature windows by scale.
        scale, points: The scale that the chart shows, and its last windows by bucket.
    """

    labelled: int
    correct: int
    accuracy: float | None
    reference_accuracy: float | None
    floor: float | None
    drop: float | None
    windows: dict[str, int]
    version: str
    scale: str
    points: tuple[AccuracyPoint, ...]


class PsiTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One column's PSI at one scale, the largest of the windows that ended in each bucket; None: none was judged."""

    column: str
    version: str
    scale: str
    psi: tuple[float | None, ...]
    proven: tuple[float | None, ...]


class ChartsPart(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers by bucket of time: *buckets* of *bucket_minutes* each, from *start* on."""

    start: str
    bucket_minutes: int
    buckets: int
    traffic: tuple[int, ...]
    psi: tuple[PsiTrack, ...]
