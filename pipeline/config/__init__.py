"""Compose conf/, check it, and hand each part of the engine its own frozen section."""
