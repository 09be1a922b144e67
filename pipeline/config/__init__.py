"""Compose conf/, validate it, and return frozen settings."""
