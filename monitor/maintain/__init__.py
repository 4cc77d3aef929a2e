"""The maintain role, which keeps the state in order: join truths, compact panes, drop what is past its retention."""

from monitor.maintain.label_join import JoinReport, JoinRules, join_batches, join_rules, join_truths
from monitor.maintain.loop import run_maintain

__all__ = ["JoinReport", "JoinRules", "join_batches", "join_rules", "join_truths", "run_maintain"]
