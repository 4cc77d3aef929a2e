"""Notifications to people, and the outbox rows that carry them and the action requests."""
