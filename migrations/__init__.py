"""The schema of Postgres, step by step; shipped with the package so that `driftline migrate` works anywhere."""
