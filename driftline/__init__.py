"""The front door: wires consumers, alerting and monitor together, holds no logic of its own."""

__version__ = "0.1.0"
