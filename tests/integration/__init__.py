"""Parts together with a real Kafka and a real Postgres."""
