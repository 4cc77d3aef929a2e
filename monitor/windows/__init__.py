"""Panes, deltas and their encoding, scales, watermark."""
