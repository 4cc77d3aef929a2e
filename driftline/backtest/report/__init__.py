"""From a backtest's outcome to its document."""
