"""Return the ids of a request with its predictions, so that a caller can match them without counting rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema

__all__ = ["echoed_columns", "echoed_id_names", "echoed_json"]


def echoed_id_names(schema: Schema) -> tuple[str, ...]:
    """Return the id columns whose values a response repeats; private ones are in no stored response."""
    return tuple(column.name for column in schema.columns if column.role == "id" and not column.is_private)


def echoed_json(names: Sequence[str], given: Mapping[str, Any]) -> str:
    """Return the member `ids` of a response, with a comma before it; empty where the row has none of the ids.

    Examples
    --------
    >>> echoed_json(("row",), {"size": 1.5, "row": 7})
    ',"ids":{"row":7}'
    """
    ids = {name: given[name] for name in names if name in given}
    return f',"ids":{msgspec.json.encode(ids, enc_hook=str).decode()}' if ids else ""


def echoed_columns(names: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the member `ids` of each row of columns by name; an empty list where no id is given."""
    given = [name for name in names if name in columns]
    if not given:
        return []
    rows = zip(*(columns[name] for name in given), strict=True)
    return [echoed_json(given, dict(zip(given, row, strict=True))) for row in rows]
