"""The command line and the roles; wires consumers, alerting and monitor, holds no logic of its own."""

__version__ = "0.1.0"
