"""Read a text in both ways: alone, and as a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.data.cell_parsers import parse_column

if TYPE_CHECKING:
    from pipeline.schema import TextFormat

__all__ = ["parse_twice"]


def parse_twice(text_format: TextFormat, text: str) -> Any:
    """Return the value of a text, or "invalid", after a comparison of the two ways to read it."""
    values, invalid = parse_column(pa.array([text], pa.string()), text_format)
    try:
        value = text_format.parse(text)
    except ValueError:
        value = "invalid"
    assert value == ("invalid" if invalid.size else values[0].as_py())
    return value
