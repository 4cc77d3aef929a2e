"""Tests of the alerter's pure parts."""
