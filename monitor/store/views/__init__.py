"""Read models for people: what commands and pages show; nothing of the hot path imports them."""
