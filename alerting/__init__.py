"""Driftline: findings in, people and platforms out."""
