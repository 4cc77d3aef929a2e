"""The decision: one closed window of one series and its reference give a WindowResult; pure functions of counts.

`prepare_reference` once per model and reference; then per window `examine_window` and, with the window before where
that matters, `conclude_window`.
"""

from monitor.detection.own_prediction import OwnPrediction
from monitor.detection.prepared_reference import PreparedReference, prepare_reference
from monitor.detection.seasonal import WindowHours
from monitor.detection.window import (
    ExaminedWindow,
    conclude_window,
    examine_again,
    examine_window,
    watches_panes,
)

__all__ = [
    "OwnPrediction",
    "PreparedReference",
    "prepare_reference",
    "WindowHours",
    "ExaminedWindow",
    "examine_again",
    "examine_window",
    "conclude_window",
    "watches_panes",
]
