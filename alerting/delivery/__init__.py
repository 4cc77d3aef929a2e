"""How effects get to their receivers."""
