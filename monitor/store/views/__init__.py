"""Read models for people (status, stories): nothing of the hot path imports them."""
