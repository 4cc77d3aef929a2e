"""Driftline's statistics beside those of other programs, on the same bins."""
