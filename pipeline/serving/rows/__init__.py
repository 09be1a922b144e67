"""Decode and check the rows of a request."""
