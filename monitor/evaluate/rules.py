"""What an evaluation needs to know besides the model: how time passes, and how often a window is revised."""

from dataclasses import dataclass, field

from monitor.settings import Settings
from monitor.windows.watermark import WatermarkRules, watermark_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRules:
    """Rules of one process.

    Attributes:
        prediction_topics: The topics whose watermarks count; None: every topic of that role that was ever read.
        revision_seconds: A window is revised at most this often, before it is final.
        revise: Compare evaluated windows with the counts of now; False where no event can come late.
        textbook_beside: Judge every window by the textbook rule too, from the same counts; returned, never stored.
        cache_bytes: Memory for decoded counts.
    """

    watermark: WatermarkRules = field(default_factory=WatermarkRules)
    prediction_topics: tuple[str, ...] | None = None
    revision_seconds: float = 60.0
    revise: bool = True
    textbook_beside: bool = False
    cache_bytes: int = 96 << 20


def evaluation_rules(settings: Settings) -> EvaluationRules:
    """Return the rules that *settings* spell."""
    return EvaluationRules(
        watermark=watermark_rules(settings),
        prediction_topics=settings.predictions_topics,
        revision_seconds=settings.revision_seconds,
    )
