"""What the repository itself promises: its shape, its files, its interfaces."""
