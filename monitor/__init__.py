"""Driftline: what is true: values, statistics, windows, truth, storage."""
