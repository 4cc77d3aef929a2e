"""Delayed truth: age buckets, labels, accuracy and its maturity."""
