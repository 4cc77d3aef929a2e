"""The reference: cells, counts on them, and the natural movement of each column."""
