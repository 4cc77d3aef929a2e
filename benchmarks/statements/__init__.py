"""How many rows each statement of a steady system reads for those it returns: `make bench-statements`."""
