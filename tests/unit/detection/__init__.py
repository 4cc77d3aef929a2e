"""Tests of the decision about one window."""
