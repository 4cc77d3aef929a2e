"""Driftline: reads events from Kafka and counts them into Postgres."""
