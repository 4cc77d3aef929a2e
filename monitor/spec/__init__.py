"""The spec a user writes in YAML."""
