"""The page of streams."""
