"""Retraining and rollback: whether they may be asked for now, and the requests that are sent."""
