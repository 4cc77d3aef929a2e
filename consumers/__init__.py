"""Driftline: events in, counts out."""
