"""Tests of what each receiver is sent."""
