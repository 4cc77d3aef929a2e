"""Incidents: their state, and how each evaluated window moves them."""
