"""Rules and results of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from monitor.results import WindowResult
from monitor.settings import Settings
from monitor.types import EvaluationKind, Scale, SeriesKey
from monitor.windows.watermark import Watermark, WatermarkRules, watermark_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRules:
    """Rules of one process.

    Attributes:
        prediction_topics: The topics whose watermarks count; None: every topic of that role that was ever read.
        revision_seconds: A window is revised at most this often, before it is final.
        revise: Compare evaluated windows with the counts of now; False where no event can come late.
        with_textbook: Judge every window by the textbook rule too, from the same counts; returned, never stored.
        cache_bytes: Memory for decoded counts.
    """

    watermark: WatermarkRules = field(default_factory=WatermarkRules)
    prediction_topics: tuple[str, ...] | None = None
    revision_seconds: float = 60.0
    revise: bool = True
    with_textbook: bool = False
    cache_bytes: int = 96 << 20


def evaluation_rules(settings: Settings) -> EvaluationRules:
    """Return the rules of *settings*."""
    return EvaluationRules(
        watermark=watermark_rules(settings),
        prediction_topics=settings.predictions_topics,
        revision_seconds=settings.revision_seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """One judged window, as stored.

    Attributes:
        revision: 0 the first time, then counted up.
        driving: It may move incidents: a first judgement and, of performance, the newest mature window of its scale.
        textbook_result: What the textbook rule says of the same counts, where it is asked.
    """

    series: SeriesKey
    scale: Scale
    window_end: int
    kind: EvaluationKind
    revision: int
    driving: bool
    result: WindowResult
    textbook_result: WindowResult | None = None


@dataclass(frozen=True, slots=True)
class EvaluatedWindowEnd:
    """All evaluations of a model at one window end (ms)."""

    window_end: int
    evaluations: tuple[StoredEvaluation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationBatch:
    """All window ends that one call evaluated, in order; *more*: call again, something may still be due."""

    window_ends: tuple[EvaluatedWindowEnd, ...]
    more: bool
    watermark: Watermark


def by_end(judged: Sequence[StoredEvaluation]) -> tuple[EvaluatedWindowEnd, ...]:
    """Return *judged* by window end, ascending; the order inside an end is fixed too."""
    ordered = sorted(judged, key=attrgetter("window_end", "series", "scale", "kind"))
    return tuple(EvaluatedWindowEnd(end, tuple(group)) for end, group in groupby(ordered, key=attrgetter("window_end")))
