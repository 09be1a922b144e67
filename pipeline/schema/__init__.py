"""One declaration of columns; reader, checks, encoder, API and pages are all derived from it."""

from pipeline.schema.column_kinds import DTYPES, Kind
from pipeline.schema.declaration import Column, Schema, Target

__all__ = ["DTYPES", "Column", "Kind", "Schema", "Target"]
