"""Driftline: statistics, windows, detection, accuracy, references and storage; knows neither Kafka nor HTTP."""
