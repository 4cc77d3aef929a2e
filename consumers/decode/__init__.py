"""Decodes bodies to columns or refusals, one file per kind of event; all of it is JSON so far.

The one interface: a list of bodies in; per model ids, times and column arrays out, and what was refused with reasons.
"""
