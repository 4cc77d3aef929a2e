"""The decision: one closed window of one series and its reference give a WindowResult; pure functions of counts.

`prepare` once per model and reference; then per window `examine_window` and, with the window before where that matters,
`conclude_window`.
"""

from monitor.detection.prepared import Prepared, prepare
from monitor.detection.seasonal import WindowHours, season_hour
from monitor.detection.window import (
    Examined,
    conclude_window,
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
    "watches_panes",
]
