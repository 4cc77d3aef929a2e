"""The soak: every role on a real Kafka and a real Postgres, every fault at once, then the recount (`make soak`)."""
