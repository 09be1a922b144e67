"""Convert rows of a typed source (Parquet, SQL, a library) to the declared types without loss, or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import ARROW_TYPES, parse_column, to_frame
from pipeline.data.csv_reader import text_formats
from pipeline.data.formats.typed_file import WORDS
from pipeline.data.input_problems import quote_shortened
from pipeline.data.moment_parsers import local_moments_to_utc
from pipeline.errors import DataError, did_you_mean
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipeline.schema import ColumnKind, Schema, TextFormat

__all__ = ["coerce_table", "coerce_to_schema", "is_number_type", "is_text_type"]


def coerce_to_schema(table: pa.Table, schema: Schema, *, where: str) -> pd.DataFrame:
    """Return a typed table as a frame of the declared columns, in their order, with their dtypes.

    Columns that are not declared are left out. A value is converted only without loss: 4.0 becomes 4, 4.5 does
    not. Texts are read by the form that the column declares, as the cells of a CSV file are.

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
    coerced = coerce_table(table, text_formats(schema), where=where, private_notes=schema.private_notes)
    if not table.num_rows:
        raise DataError(f"{where}: has no rows; check its query or file")
    return to_frame(coerced)


def coerce_table(
    table: pa.Table,
    formats: Mapping[str, TextFormat],
    *,
    where: str,
    private_notes: Mapping[str, str],
    holds_cells: bool = False,
    keeps_words: bool = False,
    first_row: int = 1,
) -> pa.Table:
    """Return the columns of `formats` with their types; raises as `coerce_to_schema` does, but accepts an empty table.

    `private_notes` replace details of errors, which quote values. With `holds_cells`, the format lets a column mix
    kinds, and 0 and 1 are booleans. With `keeps_words`, dictionaries of texts may remain dictionaries. `first_row` is
    the number of the first row.
    """
    columns: dict[str, pa.Array] = {}
    problems: list[str] = []
    available = set(table.column_names)
    for name, text_format in formats.items():
        if name not in available:
            hint = did_you_mean(name, table.column_names)
            problems.append(f"{where}: {name}: missing; the source has: {', '.join(table.column_names[:20])}{hint}")
            continue
        column = table.column(name).combine_chunks()
        try:
            if holds_cells and text_format.kind == "boolean" and pa.types.is_integer(column.type):
                columns[name] = _zeros_and_ones(column)
            elif keeps_words and column.type == WORDS and (words := _coerce_words(column, text_format)) is not None:
                columns[name] = words
            else:
                columns[name] = _coerce_column(column, text_format, first_row)
        except pa.ArrowException as error:
            kind = text_format.kind
            types = f"{ARROW_TYPES[kind]} is declared, the source has {column.type}"
            detail = private_notes.get(name) or " ".join(str(error).split())[:200]
            problems.append(f"{where}: {name}: {kind}: {types}: {detail}")
    if problems:
        raise DataError("\n".join([*problems, f"{where}: nothing was read; correct the source or its declaration"]))
    return pa.table(columns)


def _zeros_and_ones(column: pa.Array) -> pa.Array:
    """Return 0 and 1 as booleans: a format that lets a column mix kinds may have no others."""
    if not pc.all(pc.is_in(column.drop_null(), value_set=pa.array([0, 1], column.type))).as_py():
        raise pa.ArrowInvalid("values besides 0 and 1")
    return column.cast(pa.bool_())


def _coerce_words(column: pa.DictionaryArray, text_format: TextFormat) -> pa.DictionaryArray | None:
    """Return texts as a dictionary of distinct words; None where only the decoded column says what each row has."""
    if text_format.kind not in ("category", "text"):
        return None
    try:
        words = _coerce_column(column.dictionary, text_format, 1)
    except pa.ArrowException:
        return None
    is_distinct = not words.null_count and len(pc.unique(words)) == len(words)
    return pa.DictionaryArray.from_arrays(column.indices, words) if is_distinct else None


def _coerce_column(column: pa.Array, text_format: TextFormat, first_row: int) -> pa.Array:
    kind = text_format.kind
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_null(column.type):
        return column.cast(ARROW_TYPES[kind])
    if is_text_type(column.type) or (text_format.is_declared and _is_number_for_text(column.type, kind)):
        return _parse_strictly(column, text_format, first_row)
    if text_format.is_duration and (pa.types.is_duration(column.type) or pa.types.is_time(column.type)):
        return _to_seconds(column)
    if pa.types.is_floating(column.type) and {"inf", "-inf"} & set(text_format.null_values):
        column = pc.if_else(pc.is_inf(column), None, column)
    if not _is_convertible(column.type, kind):
        raise pa.ArrowInvalid("there is no conversion without loss")
    if kind == "datetime":
        return _to_moments(column, text_format)
    return _cast_without_loss(column, kind)


def _cast_without_loss(column: pa.Array, kind: ColumnKind) -> pa.Array:
    if kind == "integer" and pa.types.is_decimal(column.type):
        column = column.cast(pa.decimal128(38, 0))
    if kind == "category" and pa.types.is_floating(column.type):
        column = column.cast(pa.int64())  # codes beside missing values are floats in pandas
    values = _without_nul(column.cast(ARROW_TYPES[kind]), kind)
    if kind == "float" and pc.any(pc.is_inf(values)).as_py():
        raise pa.ArrowInvalid("an infinite value")
    return values


def _is_number_for_text(arrow_type: pa.DataType, kind: ColumnKind) -> bool:
    """Whether numbers are read by the declared form of texts, since they stand for words or moments."""
    return kind in ("boolean", "datetime") and (pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type))


def _to_seconds(column: pa.Array) -> pa.Array:
    unit = pa.duration("us") if pa.types.is_duration(column.type) else pa.time64("us")
    return pc.divide(column.cast(unit).cast(pa.int64()).cast(pa.float64()), 1e6)


def _parse_strictly(column: pa.Array, text_format: TextFormat, first_row: int) -> pa.Array:
    if pa.types.is_floating(column.type):
        whole = column.cast(pa.int64(), safe=False)
        column = whole if pc.all(pc.equal(whole.cast(column.type), column)).as_py() is not False else column
    texts = column.cast(pa.string())
    values, invalid = parse_column(texts, text_format)
    if invalid.size:
        position = int(invalid[0])
        found = quote_shortened(texts[position].as_py())
        others = f" and {pluralize(invalid.size - 1, 'other value')}" if invalid.size > 1 else ""
        raise pa.ArrowInvalid(f"row {first_row + position}: found {found}{others}; expected {text_format.expected}")
    return _without_nul(values, text_format.kind)


def _without_nul(values: pa.Array, kind: ColumnKind) -> pa.Array:
    if kind in ("text", "category") and pc.any(pc.match_substring(values, "\0")).as_py():
        raise pa.ArrowInvalid("a text with the character U+0000")
    return values


def _to_moments(column: pa.Array, text_format: TextFormat) -> pa.Array:
    """Return moments in UTC; those without a zone are moments of the declared zone."""
    has_zone = pa.types.is_timestamp(column.type) and column.type.tz is not None
    if has_zone:
        column = column.cast(pa.timestamp("us", tz="UTC"))
    values = column.cast(pa.timestamp("us"))
    if has_zone or text_format.zone is None:
        return values
    utc_us, is_shown = local_moments_to_utc(pc.fill_null(values.cast(pa.int64()), 0).to_numpy(), text_format.zone)
    is_missing = values.is_null().to_numpy(zero_copy_only=False)
    if (hidden := np.flatnonzero(~is_shown & ~is_missing)).size:
        found = values[int(hidden[0])].as_py()
        raise pa.ArrowInvalid(f"found {found.isoformat()}; clocks in {text_format.zone} never showed this time")
    return pa.array(utc_us, pa.int64(), mask=is_missing).cast(pa.timestamp("us"))


def is_text_type(arrow_type: pa.DataType) -> bool:
    """Return whether values of a type are texts."""
    return bool(
        pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type)
    )


def is_number_type(arrow_type: pa.DataType) -> bool:
    """Return whether values of a type are integers, floats or decimals."""
    return bool(pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type))


def _is_convertible(arrow_type: pa.DataType, kind: ColumnKind) -> bool:
    is_number = is_number_type(arrow_type)
    is_text = is_text_type(arrow_type)
    accepted: dict[ColumnKind, bool] = {
        "integer": is_number,
        "float": is_number,
        "boolean": pa.types.is_boolean(arrow_type),
        "datetime": pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type),
        # Categories are often stored as small integers.
        "category": is_text or is_number or pa.types.is_boolean(arrow_type),
        "text": is_text or pa.types.is_integer(arrow_type),
    }
    return accepted[kind]
