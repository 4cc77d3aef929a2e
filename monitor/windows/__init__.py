"""Panes and their encoding, windows over them, the watermark."""
