"""Check the rows that a caller brings to a package: which features they have, and the kind of their values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.schema.frame_input import as_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from pipeline.schema import Column, Schema

    Rows = pd.DataFrame | Mapping[str, Sequence[Any]]

__all__ = ["read_features"]

_MIN_SIMILARITY = 0.85  # of the name of a further column to that of an absent feature
_KIND_OF_DTYPE = {"b": "boolean", "i": "number", "u": "number", "f": "number", "M": "moment", "U": "text", "T": "text"}
_PLURALS = {"boolean": "booleans", "moment": "moments", "number": "numbers", "text": "texts"}
_ACCEPTED = {
    "integer": {"number"},
    "float": {"number"},
    "boolean": {"boolean", "number"},
    "category": {"text", "number"},
    "text": {"text", "number"},
    "datetime": {"moment", "text"},
}


def read_features(rows: Any, schema: Schema) -> Rows:
    """Return the features of `rows`, in the form that an encoder reads.

    A mapping of names to plain values stays one, so that a server needs no pandas. Further columns are ignored. A
    nullable feature that the rows lack is missing in each row, as in a request and in a file. Whole numbers of a
    category column become words.

    Parameters
    ----------
    rows : any form that `as_frame` accepts
    schema : Schema

    Raises
    ------
    DataError
        When a feature that is not nullable is absent, a further column has almost the name of an absent one, or values
        are of another kind: numbers written as words, booleans in place of words.
    UnsupportedFrame
        When `rows` has no names of columns, or another form.
    UsageError
        When two columns have one name.
    """
    is_plain = isinstance(rows, Mapping) and all(map(_is_read_directly, rows.values()))
    frame = rows if is_plain else as_frame(rows, name="X")
    columns = schema.features
    present: dict[str, Any] = {column.name: frame[column.name] for column in columns if column.name in frame}
    absent = [column for column in columns if column.name not in present]
    if not present:
        names = ", ".join(schema.feature_names)
        raise DataError(f"X: has none of the features; expected columns with the names {names}")
    if absent:
        _check_absent(absent, [str(name) for name in frame if name not in present])
    features = {column.name: _read_column(column, present[column.name]) for column in columns if column.name in present}
    n_rows = len(next(iter(present.values())))
    if not is_plain and not absent and all(features[name] is present[name] for name in features):
        return frame
    features |= {column.name: [None] * n_rows for column in absent}
    return features if is_plain else _to_frame(features, frame)


def _is_read_directly(values: Any) -> bool:
    """Return whether encoders read the values of a column as they are: a list, a Series or an Arrow array."""
    return isinstance(values, list | tuple) or hasattr(values, "iloc") or hasattr(values, "dictionary_encode")


def _to_frame(features: Mapping[str, Any], frame: Any) -> pd.DataFrame:
    import pandas as pd

    columns = {
        name: pd.Series(values, index=frame.index, dtype=object) if isinstance(values, list) else values
        for name, values in features.items()
    }
    complete: pd.DataFrame = frame.assign(**columns)
    return complete


def _check_absent(absent: Iterable[Column], further: Sequence[str]) -> None:
    by_lower_name = {name.lower(): name for name in further}
    for column in absent:
        near = get_close_matches(column.name.lower(), by_lower_name, n=1, cutoff=_MIN_SIMILARITY)
        if near:
            raise DataError(
                f"{column.name}: the rows have no such column, and one called {by_lower_name[near[0]]!r}; rename it to"
                f" {column.name!r}, or drop it if it is another one"
            )
        if not column.nullable:
            raise DataError(
                f"{column.name}: the rows have no such column, and its values must not be missing; expected"
                f" {column.expected}"
            )


def _read_column(column: Column, values: Any) -> Any:
    """Return the values of a column, whose whole numbers are words where words are declared."""
    if isinstance(values, list | tuple):
        values = [None if _is_missing(value) else value for value in values]
    kinds = _value_kinds(values)
    wrong = kinds - _ACCEPTED[column.kind]
    if wrong:
        raise DataError(_wrong_kind(column, values, min(wrong)))
    if "number" in kinds and column.kind in ("category", "text"):
        return _to_words(column, values)
    if "number" in kinds and column.kind == "boolean":
        _check_zeros_and_ones(column, values)
    return values


def _value_kinds(values: Any) -> set[str]:
    """Return the kinds of the values that are present: number, boolean, text, moment or the name of another type."""
    if hasattr(values, "dictionary_encode"):
        return set() if values.null_count == len(values) else {_kind_of_arrow_type(values.type)}
    dtype = getattr(values, "dtype", None)
    if dtype is not None and hasattr(dtype, "categories"):
        return _value_kinds(dtype.categories)
    is_object = getattr(dtype, "name", "") == "object"
    if dtype is not None and not is_object:
        kind = "text" if dtype.name in ("string", "str") else _KIND_OF_DTYPE.get(dtype.kind, dtype.name)
        return set() if kind == "number" and dtype.kind == "f" and values.isna().all() else {kind}
    # The types of the values say what an object column or a list holds.
    present = values.dropna() if hasattr(values, "dropna") else values
    return {_kind_of_type(type_) for type_ in {*map(type, present)} if type_ is not type(None)}


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _kind_of_arrow_type(arrow_type: Any) -> str:
    from pyarrow import types

    if types.is_dictionary(arrow_type):
        return _kind_of_arrow_type(arrow_type.value_type)
    if types.is_boolean(arrow_type):
        return "boolean"
    if types.is_integer(arrow_type) or types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return "number"
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type):
        return "text"
    return "moment" if types.is_timestamp(arrow_type) or types.is_date(arrow_type) else str(arrow_type)


def _kind_of_type(type_: type) -> str:
    if issubclass(type_, bool | np.bool_):
        return "boolean"
    if issubclass(type_, Real | Decimal):
        return "number"
    if issubclass(type_, str):
        return "text"
    return "moment" if issubclass(type_, date | np.datetime64) else type_.__name__


def _wrong_kind(column: Column, values: Any, kind: str) -> str:
    remedy = {
        "text": f"convert the column, for example pd.to_numeric(frame[{column.name!r}])",
        "boolean": f"replace them, for example frame[{column.name!r}].map({{True: ..., False: ...}})",
    }.get(kind, "convert the column")
    example = "" if column.is_private else f", such as {_first_of_kind(values, kind)!r}"
    return f"{column.name}: found {_PLURALS.get(kind, kind)}{example}; expected {column.expected}: {remedy}"


def _first_of_kind(values: Any, kind: str) -> Any:
    plain = values.drop_null().to_pylist() if hasattr(values, "dictionary_encode") else values
    present = (_plain(value) for value in plain if not _is_missing(value))
    # Arrow and pandas have names of their own for types beside the common kinds.
    named = [value for value in present if kind not in _PLURALS or _kind_of_type(type(value)) == kind]
    return named[0]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _to_words(column: Column, values: Any) -> Any:
    """Return the values of a column of words, whole numbers as texts."""
    if hasattr(values, "dictionary_encode"):
        import pyarrow as pa

        return pa.array([_to_word(column, value) for value in values.to_pylist()], pa.string())
    if isinstance(values, list | tuple):
        return [_to_word(column, value) for value in values]
    word_of = {value: _to_word(column, value) for value in values.dropna().unique()}
    return values.astype(object).map(word_of).astype("string")


def _to_word(column: Column, value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if _is_missing(value):
        return None
    if value != int(value):
        raise DataError(f"{column.name}: found {_shown(column, value)}; expected {column.expected}")
    return str(int(value))


def _check_zeros_and_ones(column: Column, values: Any) -> None:
    if hasattr(values, "dictionary_encode"):
        values = values.drop_null().unique().to_pylist()
    distinct = values.dropna().unique() if hasattr(values, "dropna") else values
    for value in distinct:
        if not _is_missing(value) and value not in (0, 1):
            raise DataError(f"{column.name}: found {_shown(column, value)}; expected {column.expected}")


def _shown(column: Column, value: Any) -> str:
    return "a value of another form" if column.is_private else repr(_plain(value))
