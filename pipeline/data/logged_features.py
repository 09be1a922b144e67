"""Turn the features that the prediction log stores in full into columns of their declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.data.coercion import coerce_table
from pipeline.errors import DataError
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Column

__all__ = ["logged_features"]


def logged_features(
    records: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, private_notes: Mapping[str, str], advice: str
) -> pa.Table:
    """Return a table of `columns`; a feature that a record lacks is null.

    Parameters
    ----------
    records : sequence of mappings
        Values by feature, as the log stores them.
    columns : sequence of Column
    private_notes : mapping
        By private column: the text that an error shows in place of a value.
    advice : str
        What to do about predictions of a version that declares other types; errors end with it.

    Raises
    ------
    DataError
        When a value does not have the declared type.
    """
    arrays = {column.name: _to_array(column, records, advice) for column in columns}
    formats = {column.name: TextFormat(column.kind) for column in columns}
    return coerce_table(pa.table(arrays), formats, where="prediction log", private_notes=private_notes)


def _to_array(column: Column, records: Sequence[Mapping[str, Any]], advice: str) -> pa.Array:
    values = [record.get(column.name) for record in records]
    try:
        return pa.array(values)
    except pa.ArrowException:
        raise DataError(
            f"prediction log: {column.name}: holds values of several types, and {column.dtype} is declared; {advice}"
        ) from None
