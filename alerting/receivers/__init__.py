"""Ways to reach a receiver; the file's name is the `type` in the spec."""
