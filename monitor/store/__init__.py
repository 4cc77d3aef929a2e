"""Postgres: schema and queries, one module per noun; rows become values here and nowhere else."""
