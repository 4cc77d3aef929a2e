"""Loads what is due, decides, stores: the only caller of the decision."""

from monitor.evaluate.evaluator import Evaluator
from monitor.evaluate.results import EndEvaluation, EvaluationBatch, EvaluationRules, StoredEvaluation, evaluation_rules

__all__ = [
    "EndEvaluation",
    "EvaluationBatch",
    "EvaluationRules",
    "Evaluator",
    "StoredEvaluation",
    "evaluation_rules",
]
