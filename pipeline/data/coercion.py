"""Convert rows of a typed source (Parquet, SQL, a library) to the declared types without loss, or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import CELL_GRAMMARS, to_frame
from pipeline.data.csv_reader import column_kinds
from pipeline.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipeline.schema import ColumnKind, Schema

__all__ = ["coerce_table", "coerce_to_schema"]


def coerce_to_schema(table: pa.Table, schema: Schema, *, where: str) -> pd.DataFrame:
    """Return a typed table as a frame of the declared columns, in their order, with their dtypes.

    Columns that are not declared are left out. A value is converted only without loss: 4.0 becomes 4, 4.5 does
    not, and a text never becomes a number.

    Parameters
    ----------
    table : Arrow table
    schema : Schema
    where : str
        Name of the source in errors.

    Raises
    ------
    DataError
        When a column is missing, or one of them has values of another type: one line for each.
    """
    coerced = coerce_table(table, column_kinds(schema), where=where, private_notes=schema.private_notes)
    if not table.num_rows:
        raise DataError(f"{where}: has no rows; check its query or file")
    return to_frame(coerced)


def coerce_table(
    table: pa.Table, kinds: Mapping[str, ColumnKind], *, where: str, private_notes: Mapping[str, str]
) -> pa.Table:
    """Return the columns of `kinds` with their types; raises as `coerce_to_schema` does, but accepts an empty table.

    `private_notes` replace details of errors, which quote values.
    """
    columns: dict[str, pa.Array] = {}
    problems: list[str] = []
    for name, kind in kinds.items():
        if name not in table.column_names:
            hint = did_you_mean(name, table.column_names)
            problems.append(f"{where}: {name}: missing; the source has: {', '.join(table.column_names[:20])}{hint}")
            continue
        column = table.column(name).combine_chunks()
        try:
            columns[name] = _coerce_column(column, kind)
        except pa.ArrowException as error:
            types = f"{CELL_GRAMMARS[kind].arrow_type} is declared, the source has {column.type}"
            detail = private_notes.get(name) or " ".join(str(error).split())[:200]
            problems.append(f"{where}: {name}: {kind}: {types}: {detail}")
    if problems:
        raise DataError("\n".join([*problems, f"{where}: nothing was read; correct the source or its declaration"]))
    return pa.table(columns)


def _coerce_column(column: pa.Array, kind: ColumnKind) -> pa.Array:
    grammar = CELL_GRAMMARS[kind]
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_null(column.type):
        return column.cast(grammar.arrow_type)
    if not _is_convertible(column.type, kind):
        raise pa.ArrowInvalid("there is no conversion without loss")
    if kind == "datetime" and pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp("us", tz="UTC"))
    if kind == "integer" and pa.types.is_decimal(column.type):
        column = column.cast(pa.decimal128(38, 0))
    if kind == "category" and pa.types.is_floating(column.type):
        column = column.cast(pa.int64())  # codes beside missing values are floats in pandas
    values = column.cast(grammar.arrow_type)
    if kind in ("text", "category") and pc.any(pc.match_substring(values, "\0")).as_py():
        raise pa.ArrowInvalid("a text with the character U+0000")
    if kind == "float" and pc.any(pc.is_inf(values)).as_py():
        raise pa.ArrowInvalid("an infinite value")
    return values


def _is_convertible(arrow_type: pa.DataType, kind: ColumnKind) -> bool:
    is_number = pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type)
    is_text = (
        pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type)
    )
    accepted: dict[ColumnKind, bool] = {
        "integer": is_number,
        "float": is_number,
        "boolean": pa.types.is_boolean(arrow_type),
        "datetime": pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type),
        # Categories are often stored as small integers.
        "category": is_text or is_number or pa.types.is_boolean(arrow_type),
        "text": is_text,
    }
    return accepted[kind]
