"""The demo: the whole path on this machine without any installation, and a story that runs through it."""
