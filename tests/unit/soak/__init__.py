"""The soak: what needs no broker."""
