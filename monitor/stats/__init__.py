"""Statistics of counts, one per file: pure functions, no I/O, no clock, no randomness, no verdicts."""
