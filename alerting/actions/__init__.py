"""Retraining and rollback: may it run now, and what is asked."""
