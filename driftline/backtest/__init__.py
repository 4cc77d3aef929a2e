"""Backtest: history through the real counting, windows, decisions and incidents; no Kafka, no server.

`BacktestDatabase` once, then `backtest_history` as often as wanted.
"""

from driftline.backtest.database import BacktestDatabase
from driftline.backtest.history import History, HistoryColumns, history_of, identities
from driftline.backtest.outcome import (
    BacktestOutcome,
    JudgedWindow,
    RaisedIncident,
    RaisedStep,
    TextbookVerdict,
)
from driftline.backtest.run import backtest_history
from driftline.backtest.truths import TruthTable, truths_of

__all__ = [
    "BacktestDatabase",
    "BacktestOutcome",
    "History",
    "HistoryColumns",
    "JudgedWindow",
    "RaisedIncident",
    "RaisedStep",
    "TextbookVerdict",
    "TruthTable",
    "backtest_history",
    "history_of",
    "identities",
    "truths_of",
]
