"""Pure parts against laws that hold for every input."""
