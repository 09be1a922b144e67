"""Check one value of a request: its kind, then the declared checks of single values.

Errors carry the declared names of checks. Checks of whole columns, such as `unique`, apply to data sets only.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.schema.intervals import MAX_INT64
from pipeline.serving.serving_errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.schema import Column, TextFormat
    from pipeline.schema.constraint_base import Constraint

__all__ = ["check_read_value", "check_value"]

_DATETIME_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?")


def check_value(
    column: Column, constraints: tuple[Constraint, ...], value: Any, *, path: str = ""
) -> tuple[Any, FieldError | None]:
    """Return a value of a request in the form that the engine uses, and its error (None when it is valid).

    Parameters
    ----------
    column : Column
    constraints : tuple of Constraint
        `column.value_constraints`, built once by the caller.
    value : plain value
        As it was decoded; None when it is missing or absent. A text is read by the form that the column declares.
    path : str
        Path of the field in the error.
    """
    text_format = column.text_format
    if text_format.is_declared:
        try:
            value = _read_declared(text_format, value)
        except (ValueError, OverflowError):
            return None, FieldError(path, "type", f"expected {column.expected}; found {_describe_kind(value)}")
    return check_read_value(column, constraints, value, path=path)


def check_read_value(
    column: Column, constraints: tuple[Constraint, ...], value: Any, *, path: str = ""
) -> tuple[Any, FieldError | None]:
    """Return a value and its error as `check_value` does, for values that a reader of files has read already."""
    if value is None:
        if column.nullable:
            return None, None
        return None, FieldError(path, "missing", f"is missing; expected {column.expected}, and not null")
    try:
        converted = _CONVERTERS[column.kind](value)
    except (TypeError, ValueError, OverflowError):
        return None, FieldError(path, "type", f"expected {column.expected}; found {_describe_kind(value)}")
    for constraint in constraints:
        if not constraint.accepts(converted):
            return None, FieldError(path, constraint.name, f"expected {column.expected}")
    return converted, None


def _read_declared(text_format: TextFormat, value: Any) -> Any:
    """Return a value read by its declared form; a moment as ISO text, as the log stores it."""
    read = text_format.read(value)
    return read.isoformat() if isinstance(read, datetime) else read


def _describe_kind(value: Any) -> str:
    if type(value) is int and abs(value) > MAX_INT64:
        return "a number that 64 bits cannot hold"
    if type(value) is str and "\0" in value:
        return "a string with a NUL character"
    names = {bool: "true or false", str: "a string", dict: "an object", list: "a list", float: "a number with decimals"}
    return names.get(type(value), "a number")


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > MAX_INT64:
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError
    number = float(value)
    if number - number != 0.0:
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return bool(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    value.encode()  # raises for half of a surrogate pair
    if "\0" in value:
        raise ValueError
    return str(value)


def _datetime_text(value: Any) -> str:
    if not _DATETIME_PATTERN.fullmatch(_text(value)):
        raise ValueError
    datetime.fromisoformat(value)
    return str(value)


def _category(value: Any) -> str:
    """Return a word; a code that is a number or a boolean is the word that a file has in its place."""
    if type(value) is bool:
        return str(value).lower()
    return str(_integer(value)) if type(value) in (int, float) else _text(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "category": _category,
    "text": _text,
    "datetime": _datetime_text,
}
