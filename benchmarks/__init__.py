"""Speed, measured on real services; each file is a command."""
