"""Build Arrow columns of plain Python values; values of several kinds become texts, and none is lost."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build_column", "join_columns"]

_MAX_EXACT_INTEGER = 1 << 53
_PLAIN_TYPES = {frozenset(): pa.null(), frozenset({str}): pa.string(), frozenset({bool}): pa.bool_()}


def build_column(values: Sequence[Any]) -> pa.Array:
    """Return a column of the narrowest type that holds each value exactly.

    Whole numbers become integers, integers beyond 64 bits texts, durations seconds, times of day texts. A column
    of several kinds becomes one of texts, each as `str` writes it; booleans as true and false, moments as ISO 8601.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if (arrow_type := _PLAIN_TYPES.get(frozenset(kinds))) is not None:
        return pa.array(values, arrow_type)
    if kinds <= {int, float}:
        return _number_column(values, has_floats=float in kinds)
    if kinds <= {date, datetime} and (moments := _moment_column(values)) is not None:
        return moments
    if kinds == {timedelta}:
        return pa.array([None if value is None else value.total_seconds() for value in values], pa.float64())
    return _text_column(values)


def _text_column(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else _to_text(value) for value in values], pa.string())


def _number_column(values: Sequence[Any], *, has_floats: bool) -> pa.Array:
    """Return integers, else floats if each integer among them has an exact float, else texts."""
    if has_floats and all(value is None or _is_whole(value) for value in values):
        values, has_floats = [None if value is None else int(value) for value in values], False
    if not has_floats or all(not isinstance(value, int) or abs(value) <= _MAX_EXACT_INTEGER for value in values):
        try:
            return pa.array(values, pa.float64() if has_floats else pa.int64())
        except OverflowError:
            pass
    return _text_column(values)


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or (value.is_integer() and abs(value) <= _MAX_EXACT_INTEGER)


def _moment_column(values: Sequence[Any]) -> pa.Array | None:
    moments = [
        value if value is None or isinstance(value, datetime) else datetime.combine(value, time()) for value in values
    ]
    zones = {moment.tzinfo is not None for moment in moments if moment is not None}
    if len(zones) > 1:
        return None
    return pa.array(moments, pa.timestamp("us", tz="UTC" if zones == {True} else None))


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and _is_whole(value):
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value.total_seconds() if isinstance(value, timedelta) else value)


def join_columns(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the parts of a column in one; parts of several types become texts where no number holds them all."""
    types = {part.type for part in parts} - {pa.null()}
    if len(types) == 1:
        (arrow_type,) = types
    elif types and all(pa.types.is_integer(one) or pa.types.is_floating(one) for one in types) and _is_exact(parts):
        arrow_type = pa.float64()
    else:
        arrow_type = pa.null() if not types else pa.string()
    return pa.chunked_array([chunk for part in parts for chunk in _as_type(part, arrow_type).chunks], arrow_type)


def _is_exact(parts: Sequence[pa.ChunkedArray]) -> bool:
    integers = [part for part in parts if pa.types.is_integer(part.type)]
    return all(
        pc.max(pc.abs(part)).as_py() is None or pc.max(pc.abs(part)).as_py() <= _MAX_EXACT_INTEGER for part in integers
    )


def _as_type(part: pa.ChunkedArray, arrow_type: pa.DataType) -> pa.ChunkedArray:
    if part.type == arrow_type or not pa.types.is_string(arrow_type) or pa.types.is_null(part.type):
        return part.cast(arrow_type)
    texts = [None if value is None else _to_text(value) for value in part.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])
