"""Faults to survive, one file per row of the table in docs/operations.md."""
