"""The plan: what a spec can detect at a model's traffic, before any event is judged; pure functions.

`plan_of` gives everything at once; the thresholds in it are those of the rule itself, called, not written again.
"""

from monitor.planning.plan import plan_of
from monitor.planning.results import Plan, Traffic, reference_traffic

__all__ = ["Plan", "Traffic", "plan_of", "reference_traffic"]
