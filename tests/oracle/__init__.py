"""What the database must hold, computed from the topics alone, slowly and by other code."""
