"""The cached queries of single pages, and the clients of engine and API."""
