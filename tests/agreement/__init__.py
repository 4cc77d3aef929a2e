"""Driftline's statistics compared with those of other programs, on the same bins."""
