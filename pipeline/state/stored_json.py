"""Read JSON columns, and name one that was changed by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.errors import IntegrityError

__all__ = ["UnreadableRow", "parse_stored_object"]


class UnreadableRow(IntegrityError):
    """A row holds values that this program does not write: table, row, and the difference."""

    def __init__(self, table: str, row: str, difference: str) -> None:
        super().__init__(f"{table} {row}: {difference}; it was changed by hand, restore a backup of the state database")
        self.table = table
        self.row = row
        self.difference = difference


def parse_stored_object(text: str, *, table: str, row: str, column: str) -> dict[str, Any]:
    """Return the JSON object of a column.

    Raises
    ------
    UnreadableRow
        When the text is no JSON object: this program writes nothing else.
    """
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UnreadableRow(table, row, f"{column} is no JSON object")
    return value
