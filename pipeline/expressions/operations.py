"""The operations of expressions: elementwise, on float64, with a missing value wherever a result is not finite.

Booleans are 0, 1 and NaN. A value gets the same bits alone as among others: operations are elementwise functions of
numpy on contiguous arrays. numpy computes a power of one element in another way than one among many; see `_power`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.expressions.operands import NO_MOMENT, Words
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.expressions.operands import ValueType

    Floats = NDArray[np.float64]

__all__ = ["FUNCTIONS", "OPERATORS", "Operation", "Signature"]

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_DAYS_TO_MONDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class Signature:
    """Types of the arguments, the type of the result, and the function that computes it."""

    arguments: tuple[ValueType, ...]
    result: ValueType
    compute: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or function with its signatures, of which one has the types of the arguments.

    `is_variadic`: a function of two arguments that takes more, from left to right. `summary` is for the reference.
    """

    summary: str
    signatures: tuple[Signature, ...]
    is_variadic: bool = False


OPERATORS: LookupTable[Operation] = LookupTable("operator")
FUNCTIONS: LookupTable[Operation] = LookupTable("function")

_NUMBER: tuple[ValueType, ...] = ("number",)
_NUMBERS: tuple[ValueType, ...] = ("number", "number")
_BOOLEANS: tuple[ValueType, ...] = ("boolean", "boolean")
_MOMENTS: tuple[ValueType, ...] = ("moment", "moment")
_TEXTS: tuple[ValueType, ...] = ("text", "text")


def _with_missing(values: Any, is_missing: Any) -> Any:
    """Return the fresh array `values` with NaN where `is_missing`."""
    if is_missing.any():
        values = np.asarray(values, dtype=np.float64)
        np.putmask(values, is_missing, np.nan)
    return values


def _finite(values: Any) -> Any:
    """Return the fresh array `values` with NaN in place of infinity."""
    return _with_missing(values, np.isinf(values))


def _finite_result(compute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: _finite(compute(*values))


def _power(base: Any, exponent: Any) -> Any:
    # numpy squares where a single exponent is 2, and calls its power function where there are several.
    if np.size(base) == 1 and np.size(exponent) == 1 and np.ndim(exponent) == 1:
        return _finite(np.power(np.repeat(base, 2), np.repeat(exponent, 2))[:1])
    return _finite(np.power(base, exponent))


def _compared(compare: Callable[..., Any]) -> Callable[..., Any]:
    def compute(left: Any, right: Any) -> Any:
        return _with_missing(np.asarray(compare(left, right), dtype=np.float64), np.isnan(left) | np.isnan(right))

    return compute


def _compared_moments(compare: Callable[..., Any]) -> Callable[..., Any]:
    def compute(left: Any, right: Any) -> Any:
        return np.where((left == NO_MOMENT) | (right == NO_MOMENT), np.nan, compare(left, right))

    return compute


def _texts_equal(left: Words | str, right: Words | str) -> Any:
    if isinstance(left, str):
        left, right = right, left
    if isinstance(left, str):
        return float(left == right)
    if isinstance(right, str):
        return left.lookup(("equals", right), lambda word: float(word == right))
    code_of = {word: float(code) for code, word in enumerate(left.distinct)}
    codes = right.lookup(("codes in", left.distinct), lambda word: code_of.get(word, -2.0))
    return _compared(np.equal)(np.where(left.codes < 0, np.nan, left.codes), codes)


def _texts_differ(left: Words | str, right: Words | str) -> Any:
    return 1.0 - _texts_equal(left, right)


def _and(left: Any, right: Any) -> Any:
    both = left * right
    return np.where((left == 0) | (right == 0), 0.0, both) if np.isnan(both).any() else both


def _or(left: Any, right: Any) -> Any:
    return 1.0 - _and(1.0 - left, 1.0 - right)


def _if(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(condition == 1, then, np.where(condition == 0, otherwise, np.nan))


def _days_between(start: Any, end: Any) -> Any:
    days = (end - start) / _DAY_US
    return np.where((start == NO_MOMENT) | (end == NO_MOMENT), np.nan, days)


def _days_since(end: Any, start: Any) -> Any:
    return _days_between(start, end)


def _part(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function of moments from one of microseconds since 1970."""

    def part(moments: Any) -> Any:
        is_missing = moments == NO_MOMENT
        return np.where(is_missing, np.nan, compute(np.where(is_missing, 0, moments)))

    return part


def _calendar(moments: Any, unit: str) -> Any:
    """Return whole years, months or days since 1970."""
    return np.asarray(moments).astype("datetime64[us]").astype(f"datetime64[{unit}]").astype(np.int64)


def _day_of_month(moments: Any) -> Any:
    days = np.asarray(moments).astype("datetime64[us]").astype("datetime64[D]")
    return (days - days.astype("datetime64[M]")).astype(np.int64) + 1


def _day_of_year(moments: Any) -> Any:
    days = np.asarray(moments).astype("datetime64[us]").astype("datetime64[D]")
    return (days - days.astype("datetime64[Y]")).astype(np.int64) + 1


def _text_length(words: Words | str) -> Any:
    return float(len(words)) if isinstance(words, str) else words.lookup("length", lambda word: float(len(word)))


def _contains(words: Words | str, part: Words | str) -> Any:
    if isinstance(words, Words) and isinstance(part, str):
        return words.lookup(("contains", part), lambda word: float(part in word))
    raise TypeError("contains: expected a column and a text in quotes")


def _is_missing_text(words: Words | str) -> Any:
    return 0.0 if isinstance(words, str) else (words.codes < 0).astype(np.float64)


def _comparison(name: str, compare: Callable[..., Any], summary: str, *, texts: Callable[..., Any] | None) -> None:
    signatures = [
        Signature(_NUMBERS, "boolean", _compared(compare)),
        Signature(_MOMENTS, "boolean", _compared_moments(compare)),
    ]
    if texts is not None:
        signatures += [Signature(_BOOLEANS, "boolean", _compared(compare)), Signature(_TEXTS, "boolean", texts)]
    OPERATORS.add(name)(Operation(summary, tuple(signatures)))


def _arithmetic(name: str, compute: Callable[..., Any], summary: str, *others: Signature) -> None:
    OPERATORS.add(name)(Operation(summary, (Signature(_NUMBERS, "number", _finite_result(compute)), *others)))


def _numeric(name: str, compute: Callable[..., Any], summary: str) -> None:
    FUNCTIONS.add(name)(Operation(summary, (Signature(_NUMBER, "number", _finite_result(compute)),)))


def _date_part(name: str, compute: Callable[[Any], Any], summary: str) -> None:
    FUNCTIONS.add(name)(Operation(summary, (Signature(("moment",), "number", _part(compute)),)))


def _numeric_pair(name: str, compute: Callable[..., Any], summary: str) -> None:
    FUNCTIONS.add(name)(Operation(summary, (Signature(_NUMBERS, "number", compute),), is_variadic=True))


_arithmetic("+", np.add, "sum")
_arithmetic("-", np.subtract, "difference; days between two dates", Signature(_MOMENTS, "number", _days_since))
_arithmetic("*", np.multiply, "product")
_arithmetic("/", np.divide, "quotient; missing where the divisor is 0")
_arithmetic("%", np.mod, "remainder, with the sign of the divisor; missing where the divisor is 0")
OPERATORS.add("**")(Operation("power", (Signature(_NUMBERS, "number", _power),)))
OPERATORS.add("negative")(Operation("negative number", (Signature(_NUMBER, "number", np.negative),)))
OPERATORS.add("not")(Operation("true where false", (Signature(("boolean",), "boolean", lambda value: 1.0 - value),)))
OPERATORS.add("and")(Operation("both are true", (Signature(_BOOLEANS, "boolean", _and),)))
OPERATORS.add("or")(Operation("one is true", (Signature(_BOOLEANS, "boolean", _or),)))
_comparison("==", np.equal, "equal", texts=_texts_equal)
_comparison("!=", np.not_equal, "different", texts=_texts_differ)
_comparison("<", np.less, "less, earlier", texts=None)
_comparison("<=", np.less_equal, "at most", texts=None)
_comparison(">", np.greater, "greater, later", texts=None)
_comparison(">=", np.greater_equal, "at least", texts=None)

_numeric("abs", np.abs, "absolute value")
_numeric("sqrt", np.sqrt, "square root; missing below 0")
_numeric("exp", np.exp, "e to the power x")
_numeric("log", np.log, "natural logarithm; missing at 0 and below")
_numeric("log1p", np.log1p, "log(1 + x); missing at -1 and below")
_numeric("floor", np.floor, "largest whole number not above x")
_numeric("ceil", np.ceil, "smallest whole number not below x")
_numeric("round", np.rint, "nearest whole number; the even one of two")
_numeric_pair("min", np.minimum, "smallest of two or more numbers")
_numeric_pair("max", np.maximum, "largest of two or more numbers")
_numeric_pair("sum", _finite_result(np.add), "sum of two or more numbers")
FUNCTIONS.add("coalesce")(
    Operation(
        "first of two or more values that is not missing",
        tuple(
            Signature((kind, kind), kind, lambda first, second: np.where(np.isnan(first), second, first))
            for kind in ("number", "boolean")
        ),
        is_variadic=True,
    )
)
FUNCTIONS.add("if")(
    Operation(
        "a where the condition is true, b where it is false",
        tuple(Signature(("boolean", kind, kind), kind, _if) for kind in ("number", "boolean")),
    )
)
FUNCTIONS.add("is_missing")(
    Operation(
        "true where the value is missing",
        (
            Signature(_NUMBER, "boolean", lambda value: np.isnan(value).astype(np.float64)),
            Signature(("boolean",), "boolean", lambda value: np.isnan(value).astype(np.float64)),
            Signature(("moment",), "boolean", lambda value: (value == NO_MOMENT).astype(np.float64)),
            Signature(("text",), "boolean", _is_missing_text),
        ),
    )
)
FUNCTIONS.add("days_between")(
    Operation("days from a to b, with fractions", (Signature(_MOMENTS, "number", _days_between),))
)
_date_part("year", lambda moments: _calendar(moments, "Y") + 1970, "year")
_date_part("month", lambda moments: _calendar(moments, "M") % 12 + 1, "month, 1 to 12")
_date_part("day", _day_of_month, "day of the month, 1 to 31")
_date_part("weekday", lambda moments: (moments // _DAY_US + _DAYS_TO_MONDAY) % 7, "day of the week, Monday is 0")
_date_part("day_of_year", _day_of_year, "day of the year, 1 to 366")
_date_part("hour", lambda moments: moments % _DAY_US // _HOUR_US, "hour, 0 to 23")
FUNCTIONS.add("length")(Operation("number of characters", (Signature(("text",), "number", _text_length),)))
FUNCTIONS.add("contains")(
    Operation("whether the text contains the words in quotes", (Signature(_TEXTS, "boolean", _contains),))
)
