"""The decision: one closed window of one series and its reference give a WindowResult; pure functions of counts.

`prepare` once per model and reference; then per window `decide_window`, or `examine_window` and `conclude_window`
where the window before is loaded only when it matters.
"""

from monitor.detection.prepared import Prepared, prepare
from monitor.detection.seasonal import WindowHours, season_hour
from monitor.detection.window import (
    Examined,
    conclude_window,
    decide_window,
    examine_again,
    examine_window,
    watches_panes,
)

__all__ = [
    "Prepared",
    "prepare",
    "WindowHours",
    "season_hour",
    "Examined",
    "examine_again",
    "examine_window",
    "conclude_window",
    "decide_window",
    "watches_panes",
]
