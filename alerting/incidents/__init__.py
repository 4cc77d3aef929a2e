"""How an incident lives."""
