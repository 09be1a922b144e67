"""One declaration of columns; reader, checks, encoder, API and pages are all derived from it."""

from pipeline.schema.declaration import Column, Kind, Schema, Target

__all__ = ["Column", "Kind", "Schema", "Target"]
