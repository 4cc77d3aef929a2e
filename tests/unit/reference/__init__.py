"""Tests of cells, counts and profiles of a reference."""
