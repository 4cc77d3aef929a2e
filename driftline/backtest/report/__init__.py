"""The report of a backtest as a JSON document."""
