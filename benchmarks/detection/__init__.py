"""How many false alarms, how soon the true ones: Driftline and its peers on the same streams."""
