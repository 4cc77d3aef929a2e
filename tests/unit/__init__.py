"""Pure parts against mathematics, one example at a time."""
