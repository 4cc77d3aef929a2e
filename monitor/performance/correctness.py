"""Which predictions are right: the label that was sent, or the one that the score stands for, agrees with the truth."""

from dataclasses import dataclass

from monitor.spec.model import ModelSpec, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRules:
    """How a model's predictions become labels; *regression*: nothing is right or wrong."""

    threshold: float
    positive: str
    negative: str
    regression: bool


def comparison_rules(spec: ModelSpec) -> ComparisonRules:
    """Return the rules that *spec* spells."""
    return ComparisonRules(
        threshold=spec.prediction.threshold,
        positive=spec.truth.positive,
        negative=spec.truth.negative,
        regression=spec.task is Task.REGRESSION,
    )


def predicted_label(*, label: str | None, score: float | None, rules: ComparisonRules) -> str | None:
    """Return the label that was sent, else the one the score stands for; None without either."""
    if label is not None:
        return label
    if score is None:
        return None
    return rules.positive if score >= rules.threshold else rules.negative


def is_correct(*, label: str | None, score: float | None, truth: str, rules: ComparisonRules) -> bool:
    """Return whether the prediction agrees with *truth*; always False for a regression, whose metrics come later."""
    return not rules.regression and predicted_label(label=label, score=score, rules=rules) == truth
