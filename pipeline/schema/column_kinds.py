"""The kinds of columns, and the dtype of each."""

from __future__ import annotations

from typing import Literal

__all__ = ["DTYPES", "Kind"]

Kind = Literal["integer", "float", "boolean", "category", "text", "datetime"]

# The dtype of a column of each kind, unless its declaration names another.
DTYPES: dict[Kind, str] = {
    "integer": "Int64",
    "float": "Float64",
    "boolean": "boolean",
    "category": "category",
    "text": "string",
    "datetime": "datetime64[us]",
}
