"""The charts of single pages."""
