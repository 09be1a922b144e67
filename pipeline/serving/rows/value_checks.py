"""What one value must be to be accepted: its kind, then each declared check that speaks of single values.

Rules keep the names of their declaration. Checks of whole columns (no value twice, a share of missing
values) cannot be asked of a single request; they are for data sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.serving.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.schema import Column

__all__ = ["NUMERIC_BOUND_CHECKS", "ValueCheck", "build_value_checks", "check_value"]

_DATETIME_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?")
_MAX_INT64 = 2**63 - 1
_EXPECTED = {
    "integer": "a whole number",
    "float": "a number",
    "boolean": "true or false, without quotes",
    "category": "a word in quotes",
    "text": "text in quotes",
    "datetime": 'a date or a moment in quotes such as "2026-01-31" or "2026-01-31T18:30:00", without a zone',
}


@dataclass(frozen=True, slots=True)
class ValueCheck:
    """One declared check of single values: its name, whether a value passes, and what it asks for."""

    name: str
    passes: Callable[[Any], bool]
    expected: str


def build_value_checks(column: Column) -> tuple[ValueCheck, ...]:
    """Return the declared checks of a column that speak of single values."""
    made = (_build_check(name, arguments) for name, arguments in column.checks.items())
    return tuple(rule for rule in made if rule is not None)


def check_value(column: Column, checks: tuple[ValueCheck, ...], value: Any, path: str) -> tuple[Any, FieldError | None]:
    """Return a value in the form in which the engine uses it, and what is wrong with it (None when nothing is).

    Parameters
    ----------
    column : Column
    rules : tuple of Rule
        `rules_of(column)`.
    value : plain value
        As it was decoded; None when it is missing or absent.
    path : str
        What the problem calls the place.
    """
    if value is None:
        if column.nullable:
            return None, None
        message = f"is missing; it needs {_describe_expected(column, checks)}, and null is not accepted here"
        return None, FieldError(path, "missing", message)
    try:
        settled = _CONVERTERS[column.kind](value)
    except (TypeError, ValueError, OverflowError):
        return None, FieldError(
            path, "type", f"expected {_describe_expected(column, checks)}; found {_describe_kind(value)}"
        )
    for rule in checks:
        if not rule.passes(settled):
            return None, FieldError(path, rule.name, f"expected {_describe_expected(column, checks)}")
    return settled, None


def _describe_expected(column: Column, checks: tuple[ValueCheck, ...]) -> str:
    wanted = [_EXPECTED[column.kind], *(rule.expected for rule in checks)]
    unit = f" (unit: {column.unit})" if column.unit else ""
    example = f", such as {_format_value(column.example)}" if column.example is not None else ""
    missing = ", or null" if column.nullable else ""
    return f"{' '.join(wanted)}{unit}{example}{missing}"


def _format_value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _describe_kind(value: Any) -> str:
    if type(value) is int and abs(value) > _MAX_INT64:
        return "a number that 64 bits cannot hold"
    names = {bool: "true or false", str: "text", dict: "an object", list: "a list", float: "a number with decimals"}
    return names.get(type(value), "a number")


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > _MAX_INT64:
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
    value.encode()  # half of a surrogate pair is no text
    if "\0" in value:
        raise ValueError
    return str(value)


def _datetime_text(value: Any) -> str:
    if not _DATETIME_PATTERN.fullmatch(_text(value)):
        raise ValueError
    datetime.fromisoformat(value)
    return str(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "category": _text,
    "text": _text,
    "datetime": _datetime_text,
}


def _build_check(name: str, arguments: Any) -> ValueCheck | None:
    if name in ("in_range", "between"):
        return _range_check(name, **arguments)
    if name in ("isin", "notin"):
        return _membership_check(name, arguments)
    if name in _COMPARISONS:
        bound = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments
        words, compare = _COMPARISONS[name]
        return ValueCheck(name, lambda value: compare(value, bound), f"{words} {_format_value(bound)}")
    if name in _PATTERNS:
        word = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments
        words, search = _PATTERNS[name]
        return ValueCheck(name, lambda value: search(word, value), f"{words} {word!r}")
    if name == "str_length":
        return _length_check(arguments)
    return None


def _range_check(
    name: str, *, min_value: Any, max_value: Any, include_min: bool = True, include_max: bool = True
) -> ValueCheck:
    def passes(value: Any) -> bool:
        above = value >= min_value if include_min else value > min_value
        return bool(above and (value <= max_value if include_max else value < max_value))

    low = f"{_format_value(min_value)}{'' if include_min else ' (exclusive)'}"
    return ValueCheck(name, passes, f"from {low} to {_format_value(max_value)}{'' if include_max else ' (exclusive)'}")


def _membership_check(name: str, arguments: Any) -> ValueCheck:
    members = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments
    shown = ", ".join(map(_format_value, members[:12])) + (", ..." if len(members) > 12 else "")
    is_in = name == "isin"
    known = frozenset(members)
    return ValueCheck(name, lambda value: (value in known) is is_in, f"{'out of' if is_in else 'other than'} {shown}")


def _length_check(arguments: Any) -> ValueCheck:
    if not isinstance(arguments, dict):
        arguments = {"exact_value": arguments}
    exact = arguments.get("exact_value")
    low = exact if exact is not None else arguments.get("min_value") or 0
    high = exact if exact is not None else arguments.get("max_value")
    asks = f"of {low} to {'any number of' if high is None else high} signs"
    return ValueCheck("str_length", lambda value: low <= len(value) and (high is None or len(value) <= high), asks)


# Names of the rules that bound numbers.
NUMERIC_BOUND_CHECKS = frozenset({
    "in_range", "between", "ge", "greater_than_or_equal_to", "gt", "greater_than",
    "le", "less_than_or_equal_to", "lt", "less_than",
})  # fmt: skip
_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(("ge", "greater_than_or_equal_to"), ("of at least", lambda value, bound: value >= bound)),
    **dict.fromkeys(("gt", "greater_than"), ("greater than", lambda value, bound: value > bound)),
    **dict.fromkeys(("le", "less_than_or_equal_to"), ("of at most", lambda value, bound: value <= bound)),
    **dict.fromkeys(("lt", "less_than"), ("less than", lambda value, bound: value < bound)),
    **dict.fromkeys(("eq", "equal_to"), ("equal to", lambda value, bound: value == bound)),
    **dict.fromkeys(("ne", "not_equal_to"), ("other than", lambda value, bound: value != bound)),
}
_PATTERNS: dict[str, tuple[str, Callable[[str, str], bool]]] = {
    "str_matches": ("that begins as", lambda word, value: re.match(word, value) is not None),
    "str_contains": ("that contains", lambda word, value: re.search(word, value) is not None),
    "str_startswith": ("that starts with", lambda word, value: value.startswith(word)),
    "str_endswith": ("that ends with", lambda word, value: value.endswith(word)),
}
