"""Convert rows of a typed source (Parquet, SQL, a library) to the declared types without loss, or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import CELL_GRAMMARS, parse_column, to_frame
from pipeline.data.csv_reader import column_kinds
from pipeline.data.input_problems import quote_shortened
from pipeline.errors import DataError, did_you_mean
from pipeline.text import pluralize

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
    table: pa.Table,
    kinds: Mapping[str, ColumnKind],
    *,
    where: str,
    private_notes: Mapping[str, str],
    holds_cells: bool = False,
    first_row: int = 1,
) -> pa.Table:
    """Return the columns of `kinds` with their types; raises as `coerce_to_schema` does, but accepts an empty table.

    `private_notes` replace details of errors, which quote values. With `holds_cells`, texts are read as the cells of
    a CSV file: the format has no dates, or a column may mix kinds. `first_row` is the number of the first row.
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
            if holds_cells and pa.types.is_string(column.type):
                columns[name] = _parse_cells(column, kind, first_row)
            elif holds_cells and kind == "boolean" and pa.types.is_integer(column.type):
                columns[name] = _zeros_and_ones(column)
            else:
                columns[name] = _coerce_column(column, kind)
        except pa.ArrowException as error:
            types = f"{CELL_GRAMMARS[kind].arrow_type} is declared, the source has {column.type}"
            detail = private_notes.get(name) or " ".join(str(error).split())[:200]
            problems.append(f"{where}: {name}: {kind}: {types}: {detail}")
    if problems:
        raise DataError("\n".join([*problems, f"{where}: nothing was read; correct the source or its declaration"]))
    return pa.table(columns)


def _parse_cells(column: pa.Array, kind: ColumnKind, first_row: int) -> pa.Array:
    values, positions = parse_column(column, kind)
    if positions.size:
        position = int(positions[0])
        cell = quote_shortened(column[position].as_py())
        n_others = positions.size - 1
        others = f", and {pluralize(n_others, 'other value')}" if n_others else ""
        raise pa.ArrowInvalid(f"row {first_row + position}: {cell}{others}; expected {CELL_GRAMMARS[kind].expected}")
    return _coerce_column(values, kind)


def _zeros_and_ones(column: pa.Array) -> pa.Array:
    """Return 0 and 1 as booleans: a format that lets a column mix kinds may have no others."""
    if not pc.all(pc.is_in(column.drop_null(), value_set=pa.array([0, 1], column.type))).as_py():
        raise pa.ArrowInvalid("values besides 0 and 1")
    return column.cast(pa.bool_())


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
