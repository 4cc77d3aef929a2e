"""Store: what needs no database."""
