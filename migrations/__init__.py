"""Driftline: the schema of Postgres, step by step; shipped so that `driftline migrate` works anywhere."""
