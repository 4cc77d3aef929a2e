"""One file per row of faults.md, named by it."""
