"""The front door: commands, roles, supervisor, replay, demo."""
