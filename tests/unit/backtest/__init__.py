"""The backtest without its database: reading, counting up, telling and drawing."""
