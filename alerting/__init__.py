"""Findings in, people and platforms out."""
