"""Ingest without broker and database."""
