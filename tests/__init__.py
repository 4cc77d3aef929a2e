"""Tests: unit, property, contract, integration (real Kafka, real Postgres), acceptance."""
