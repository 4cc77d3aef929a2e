"""A file of past predictions and truths, sent as the events they would have been."""
