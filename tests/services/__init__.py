"""Real services for tests and benchmarks: Apache Kafka from its jars, Postgres from a wheel."""
