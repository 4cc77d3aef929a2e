"""Receivers, a file for each `type` of the spec: how an effect reaches its endpoint."""
