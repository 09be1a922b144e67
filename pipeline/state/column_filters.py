"""Filters of logged predictions by one column: parsed from text such as `age>=8`, and as SQL on both databases.

Numbers compare as numbers, words and moments as text by code point, booleans with `true` and `false`. A missing value
meets `is missing` alone.
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import (
    Numeric,
    String,
    and_,
    case,
    cast,
    collate,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from pipeline.errors import UsageError, did_you_mean
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement, FromClause

__all__ = [
    "LOG_COLUMNS",
    "OPERATORS",
    "ColumnFilter",
    "as_number",
    "column_condition",
    "parse_column_filter",
    "text_condition",
]

Origin = Literal["feature", "probability", "log"]

_MISSING = "is missing"
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", _MISSING)
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_CONDITION = re.compile(rf"\s*(?:(<=|>=|!=|=|<|>)\s*(.*?)|({_MISSING}))\s*", re.DOTALL)
_WORDS = re.compile(rf"(.+?)\s*(?:(?:<=|>=|!=|=|<|>).*|\s{_MISSING}\s*)", re.DOTALL)
_MAX_INT64 = 2**63 - 1
_MAX_DIGITS = len(f"-{_MAX_INT64}")  # Python refuses to read thousands of digits
# Columns of the log that every prediction has, by the name that a filter gives them.
LOG_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "class": predictions.c.prediction,
    "confidence": predictions.c.confidence,
    "source": predictions.c.source,
    "variant": predictions.c.variant,
    "served_by": predictions.c.served_by,
    "latency_us": predictions.c.latency_us,
}


@dataclass(frozen=True, slots=True)
class ColumnFilter:
    """One condition: a column, one of `OPERATORS`, and a value as text (empty with `is missing`).

    `origin` names what the column is: a feature, the probability of a class, or one of `LOG_COLUMNS`.
    """

    column: str
    operator: str
    value: str = ""
    origin: Origin = "feature"

    def __str__(self) -> str:
        return f"{self.column} {_MISSING}" if self.operator == _MISSING else f"{self.column}{self.operator}{self.value}"


def parse_column_filter(text: str, names: Mapping[str, str]) -> ColumnFilter | None:
    """Return the filter of a text such as `age>=8` or `age is missing`; None for a text without an operator.

    Parameters
    ----------
    text : str
    names : mapping of str to str
        What a user may write for a column, such as its name and its label, with the name of the column. Case is
        ignored unless two names differ in case alone.

    Raises
    ------
    UsageError
        When the text has an operator and the name before it is unknown.

    Examples
    --------
    >>> str(parse_column_filter("Age >= 8", {"age": "age"}))
    'age>=8'
    """
    folded = {name.casefold(): column for name, column in names.items()} | dict(names)
    stripped = text.strip()
    for name in sorted(folded, key=len, reverse=True):
        start = stripped[: len(name)]
        found = _CONDITION.fullmatch(stripped[len(name) :]) if name in (start, start.casefold()) else None
        if found is not None:
            return ColumnFilter(folded[name], found[1] or found[3], found[2] or "")
    words = _WORDS.fullmatch(stripped)
    if words is None:
        return None
    known = sorted(set(names.values()))
    hint = did_you_mean(words[1], names) or f"; columns: {', '.join(known[:20])}"
    raise UsageError(f"{words[1]!r} is not a column of the prediction log{hint}")


def as_number(text: str) -> int | float | None:
    """Return the finite number that a text is, None for other texts.

    Examples
    --------
    >>> as_number("8"), as_number("0.5"), as_number("8 h"), as_number("1e999")
    (8, 0.5, None, None)
    >>> as_number("9" * 5000), as_number("\uff18")
    (None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    is_whole = text.lstrip("+-").isdigit() and len(text) <= _MAX_DIGITS and abs(int(text)) <= _MAX_INT64
    return int(text) if is_whole else number if math.isfinite(number) else None


def column_condition(column_filter: ColumnFilter, dialect: str) -> ColumnElement[bool]:
    """Return the SQL condition of a filter; `dialect` is that of the connection."""
    if column_filter.origin == "log":
        return _log_condition(column_filter)
    stored = predictions.c.features if column_filter.origin == "feature" else predictions.c.probabilities
    members = _json_members(stored, dialect)
    is_column = members.key == column_filter.column
    if column_filter.operator == _MISSING:
        return ~_any_member(members, is_column & ~members.is_null)
    return _any_member(members, is_column & _comparison(members, column_filter))


def _log_condition(column_filter: ColumnFilter) -> ColumnElement[bool]:
    """Return the condition on a column of the table, which is never missing."""
    column = LOG_COLUMNS[column_filter.column]
    value = column_filter.value if isinstance(column.type, String) else as_number(column_filter.value)
    if column_filter.operator == _MISSING or value is None:
        return false()
    condition: ColumnElement[bool] = _COMPARISONS[column_filter.operator](column, value)
    return condition


def text_condition(text: str, dialect: str) -> ColumnElement[bool]:
    """Return the SQL condition of a search for a text.

    It is a part of a word or of the predicted class in any case, a number, or the start of the identifier.
    """
    members = _json_members(predictions.c.features, dialect)
    is_value = members.is_text & members.text.icontains(text, autoescape=True)
    number = as_number(text)
    if number is not None:
        is_value |= members.is_number & (members.number == members.bound(number))
    return (
        _any_member(members, is_value)
        | predictions.c.prediction.icontains(text, autoescape=True)
        | predictions.c.prediction_id.startswith(text, autoescape=True)
    )


class _Members(NamedTuple):
    """The members of a JSON object as rows: name, kind, and the value as text and as number."""

    table: FromClause
    key: ColumnElement[str]
    is_null: ColumnElement[bool]
    is_number: ColumnElement[bool]
    is_text: ColumnElement[bool]
    is_boolean: ColumnElement[bool]
    text: ColumnElement[str]
    number: ColumnElement[Any]
    bound: Callable[[int | float], Any]


def _json_members(column: ColumnElement[str], dialect: str) -> _Members:
    if dialect == "sqlite":
        # A path such as `$."name"` finds no name with a quote or an escape.
        table = func.json_each(column).table_valued("key", "value", "type")
        kind, value = table.c.type, table.c.value
        is_boolean = kind.in_(("true", "false"))
        text = case((is_boolean, kind), else_=value)
        numbers = kind.in_(("integer", "real"))
        return _Members(table, table.c.key, kind == "null", numbers, kind == "text", is_boolean, text, value, _itself)
    return _postgresql_members(column)


def _postgresql_members(column: ColumnElement[str]) -> _Members:
    from sqlalchemy.dialects.postgresql import JSONB

    table = func.jsonb_each(cast(column, JSONB)).table_valued("key", "value")
    kind = func.jsonb_typeof(table.c.value)
    text = table.c.value.op("#>>")(literal_column("'{}'"))
    number = cast(case((kind == "number", text)), Numeric)
    return _Members(
        table, table.c.key, kind == "null", kind == "number", kind == "string", kind == "boolean",
        collate(text, "C"), number, lambda value: cast(literal(repr(value)), Numeric),
    )  # fmt: skip


def _itself(value: float) -> Any:
    return value


def _any_member(members: _Members, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(literal(1)).select_from(members.table).where(condition))


def _comparison(members: _Members, column_filter: ColumnFilter) -> ColumnElement[bool]:
    """Return the condition on one member; a value of another type is unequal, and neither less nor greater."""
    compare, value, number = _COMPARISONS[column_filter.operator], column_filter.value, as_number(column_filter.value)
    is_unequal = true() if column_filter.operator == "!=" else false()
    if column_filter.operator not in ("=", "!="):
        if number is None:
            return and_(members.is_text, compare(members.text, value))
        return and_(members.is_number, compare(members.number, members.bound(number)))
    is_word = value.lower() in ("true", "false")
    return or_(
        and_(members.is_text, compare(members.text, value)),
        and_(members.is_number, is_unequal if number is None else compare(members.number, members.bound(number))),
        and_(members.is_boolean, compare(members.text, value.lower()) if is_word else is_unequal),
    )
