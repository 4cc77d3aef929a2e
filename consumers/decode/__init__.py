"""Bytes to columns or dead letters, one file per wire format.

The one interface: a list of bodies in; per model ids, times and column arrays out, and what was refused with reasons.
"""
