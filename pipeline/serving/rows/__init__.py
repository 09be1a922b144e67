"""Decode the rows of a request, and check them."""
