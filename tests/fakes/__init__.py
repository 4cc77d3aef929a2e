"""What stands in for Kafka, an evaluator or a receiver; held to the real thing by tests/conformance."""
