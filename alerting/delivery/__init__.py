"""Delivers outbox rows to their endpoints: leases, signatures, retries, checked addresses."""
