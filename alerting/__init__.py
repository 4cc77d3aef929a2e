"""Driftline: turns findings into incidents, notifications and action requests, and delivers them."""
