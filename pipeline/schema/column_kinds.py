"""The kinds of columns and their dtypes."""

from __future__ import annotations

from typing import Literal

__all__ = ["DTYPES", "MAX_CATEGORIES", "ColumnKind"]

ColumnKind = Literal["integer", "float", "boolean", "category", "text", "datetime"]

# The dtype of a column of each kind, unless its declaration names another.
DTYPES: dict[ColumnKind, str] = {
    "integer": "Int64",
    "float": "Float64",
    "boolean": "boolean",
    "category": "category",
    "text": "string",
    "datetime": "datetime64[us]",
}

# A column of more distinct strings is inferred to be text.
MAX_CATEGORIES = 50
