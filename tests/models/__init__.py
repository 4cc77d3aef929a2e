"""Small applied models, and ways to write their events, panes and truths."""
