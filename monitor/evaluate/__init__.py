"""Loads what is due, decides, stores: the only caller of the decision."""

from monitor.evaluate.evaluator import Evaluator
from monitor.evaluate.results import (
    EndEvaluation,
    EvaluationBatch,
    EvaluationKind,
    EvaluationRules,
    StoredEvaluation,
    evaluation_rules,
)

__all__ = [
    "EndEvaluation",
    "EvaluationBatch",
    "EvaluationKind",
    "EvaluationRules",
    "Evaluator",
    "StoredEvaluation",
    "evaluation_rules",
]
