"""Evaluation's deciders."""
