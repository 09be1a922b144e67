"""One declaration of columns; reader, checks, encoder, API and pages are all derived from it."""

from pipeline.schema.declaration import DTYPES, Column, Kind, Schema, Target

__all__ = ["DTYPES", "Column", "Kind", "Schema", "Target"]
