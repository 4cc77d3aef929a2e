"""A backtest as one self-contained HTML page: no script, no font, no address outside of it."""

from driftline.backtest.report import BacktestReport


def page_of(report: BacktestReport) -> str:
    return ""
