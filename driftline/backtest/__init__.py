"""History through the real counting, windowing, deciding and incident code; no Kafka, no server of the user's.

`BacktestDatabase` once, then `run_backtest` as often as wanted.
"""

from driftline.backtest.database import BacktestDatabase
from driftline.backtest.history import History, HistoryColumns, history_of
from driftline.backtest.outcome import (
    BacktestOutcome,
    JudgedWindow,
    ProposedAction,
    RaisedIncident,
    RaisedStep,
    TextbookWord,
)
from driftline.backtest.run import run_backtest
from driftline.backtest.truths import TruthTable, truths_of

__all__ = [
    "BacktestDatabase",
    "BacktestOutcome",
    "History",
    "HistoryColumns",
    "JudgedWindow",
    "ProposedAction",
    "RaisedIncident",
    "RaisedStep",
    "TextbookWord",
    "TruthTable",
    "history_of",
    "run_backtest",
    "truths_of",
]
