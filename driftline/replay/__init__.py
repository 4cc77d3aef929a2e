"""Replays a file of past predictions and truths as the events they would have been."""
