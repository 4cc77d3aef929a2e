"""Cells, reference counts, and how much each column moves by itself."""
