"""Loads due windows, has them decided, stores the results: the only caller of `monitor.detection`."""

from monitor.evaluate.evaluator import Evaluator
from monitor.evaluate.results import (
    EvaluatedWindowEnd,
    EvaluationBatch,
    EvaluationRules,
    StoredEvaluation,
    evaluation_rules,
)

__all__ = [
    "EvaluatedWindowEnd",
    "EvaluationBatch",
    "EvaluationRules",
    "Evaluator",
    "StoredEvaluation",
    "evaluation_rules",
]
