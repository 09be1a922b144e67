"""Constraints on single values: one class for each declared check, with its Arrow, JSON Schema and Pandera forms.

To add a check, add a class here. Validation, the request decoder and the published JSON Schemas follow.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.schema.arrow_violations import violations_of_interval, violations_of_membership
from pipeline.schema.constraint_base import (
    Constraint,
    DeclaredCheck,
    InapplicableConstraint,
    PanderaConstraint,
    format_value,
)
from pipeline.schema.intervals import MAX_INT64, MIN_INT64, Bound, closed_interval, parse_moment
from pipeline.schema.pandera_checks import interval_check, membership_check, text_check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pandera.pandas import Check
    from pyarrow import Array

    from pipeline.schema.column_kinds import ColumnKind

__all__ = ["build_constraints", "register_constraint"]

_TEXT_KINDS = frozenset({"category", "text"})
_NUMERIC_KINDS = frozenset({"integer", "float"})
_MAX_LISTED_MEMBERS = 12

_CONSTRAINTS: dict[str, type[Constraint]] = {}
# Checks of Pandera that have no class here.
_PANDERA_ONLY = frozenset({"unique_values_eq"})


def register_constraint(*names: str) -> Callable[[type[Constraint]], type[Constraint]]:
    """Return a decorator that adds a constraint under its names; a name that exists already is a ValueError."""
    if present := [name for name in names if name in _CONSTRAINTS or name in _PANDERA_ONLY]:
        raise ValueError(f"{', '.join(present)}: exists already")

    def register(constraint_type: type[Constraint]) -> type[Constraint]:
        _CONSTRAINTS.update(dict.fromkeys(names, constraint_type))
        return constraint_type

    return register


def build_constraints(column: str, kind: ColumnKind, checks: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Return the declared checks of a column, in their declared order."""
    return tuple(_build(DeclaredCheck(column, kind, name, arguments)) for name, arguments in checks.items())


def _build(declared: DeclaredCheck) -> Constraint:
    constraint_type = _CONSTRAINTS.get(declared.name, PanderaConstraint)
    try:
        return constraint_type(declared)
    except (TypeError, ValueError, re.error):
        return InapplicableConstraint(declared)


class _Range(Constraint):
    """Values within bounds: numbers, moments, or texts in the order of their code points."""

    _phrase: ClassVar[str] = ""

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        self.bounds = tuple(declared.call(self._declared_bounds))
        if declared.kind not in _TEXT_KINDS:
            self.interval = closed_interval(declared.kind, self.bounds)
        elif not all(isinstance(bound.value, str) for bound in self.bounds):
            raise TypeError("a text is compared with a text")
        self.expected = self._describe()

    def _describe(self) -> str:
        return f"{self._phrase} {format_value(self.bounds[0].value)}"

    @staticmethod
    @abstractmethod
    def _declared_bounds(*arguments: Any, **named: Any) -> list[Bound]:
        """Return the bounds of the declared arguments, whose names are Pandera's."""

    def accepts(self, value: Any) -> bool:
        """Whether a value is within all bounds."""
        if self.interval is None:
            return all(bound.admits(value) for bound in self.bounds)
        return self.interval.contains(parse_moment(value) if self.declared.kind == "datetime" else value)

    def violations(self, array: Array) -> NDArray[np.bool_] | None:
        """Return which values are out of bounds; the smallest and the largest are tested first."""
        if self.interval is None or self.declared.kind == "boolean":
            return super().violations(array)
        return violations_of_interval(array, self.interval)

    def json_schema(self) -> dict[str, Any]:
        """Return the declared bounds of a numeric column."""
        if self.declared.kind not in _NUMERIC_KINDS:
            return {}
        return {bound.json_keyword: bound.value for bound in self.bounds if bound.is_finite_number}

    def pandera(self) -> Check:
        """Return Pandera's comparison with the ends of the interval."""
        check = super().pandera()
        return check if self.interval is None else interval_check(self.interval, error=self.name)


@register_constraint("in_range", "between")
class InRange(_Range):
    """Values between two bounds."""

    @staticmethod
    def _declared_bounds(
        min_value: Any, max_value: Any, *, include_min: bool = True, include_max: bool = True
    ) -> list[Bound]:
        return [Bound("lower", min_value, include_min), Bound("upper", max_value, include_max)]

    def _describe(self) -> str:
        low, high = (
            f"{format_value(bound.value)}{'' if bound.is_inclusive else ' (exclusive)'}" for bound in self.bounds
        )
        return f"from {low} to {high}"


@register_constraint("ge", "greater_than_or_equal_to")
class AtLeast(_Range):
    """Values greater than or equal to a bound."""

    _phrase = "of at least"

    @staticmethod
    def _declared_bounds(min_value: Any) -> list[Bound]:
        return [Bound("lower", min_value)]


@register_constraint("gt", "greater_than")
class GreaterThan(_Range):
    """Values greater than a bound."""

    _phrase = "greater than"

    @staticmethod
    def _declared_bounds(min_value: Any) -> list[Bound]:
        return [Bound("lower", min_value, is_inclusive=False)]


@register_constraint("le", "less_than_or_equal_to")
class AtMost(_Range):
    """Values less than or equal to a bound."""

    _phrase = "of at most"

    @staticmethod
    def _declared_bounds(max_value: Any) -> list[Bound]:
        return [Bound("upper", max_value)]


@register_constraint("lt", "less_than")
class LessThan(_Range):
    """Values less than a bound."""

    _phrase = "less than"

    @staticmethod
    def _declared_bounds(max_value: Any) -> list[Bound]:
        return [Bound("upper", max_value, is_inclusive=False)]


class _Membership(Constraint):
    """Values inside or outside a list; a member of another type equals no value."""

    _is_allowed: ClassVar[bool] = True
    _phrase: ClassVar[str] = "out of"

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        self._listed: list[Any] = declared.call(self._declared_members)
        if not isinstance(self._listed, list):
            raise TypeError("members are a list")
        members = [_as_kind(member, declared.kind) for member in self._listed]
        self._members = list(dict.fromkeys(member for member in members if member is not None))
        self._member_set = frozenset(self._members)
        ending = ", ..." if len(self._listed) > _MAX_LISTED_MEMBERS else ""
        self.expected = f"{self._phrase} {', '.join(map(format_value, self._listed[:_MAX_LISTED_MEMBERS]))}{ending}"

    @staticmethod
    @abstractmethod
    def _declared_members(*arguments: Any, **named: Any) -> Any:
        """Return the listed values of the declared arguments, whose names are Pandera's."""

    def accepts(self, value: Any) -> bool:
        """Whether a value passes: it is listed, or not listed where the list is forbidden."""
        if self.declared.kind == "datetime":
            value = parse_moment(value)
        return (value in self._member_set) is self._is_allowed

    def violations(self, array: Array) -> NDArray[np.bool_] | None:
        """Return which values fail."""
        if self.declared.kind in _TEXT_KINDS or self.declared.kind == "boolean":
            return super().violations(array)
        return violations_of_membership(array, self._members, is_allowed=self._is_allowed)

    def json_schema(self) -> dict[str, Any]:
        """Return the values that pass, where the check lists them and each has one spelling."""
        return {"enum": self._members} if self._is_allowed and self.declared.kind != "datetime" else {}

    def pandera(self) -> Check:
        """Return Pandera's search among members of the column's type."""
        super().pandera()
        return membership_check(self._members, is_allowed=self._is_allowed, error=self.name)


@register_constraint("isin")
class IsIn(_Membership):
    """Values in a list."""

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        if declared.kind == "category":
            self.literals = self._member_set

    @staticmethod
    def _declared_members(allowed_values: Any) -> Any:
        return allowed_values


@register_constraint("notin")
class NotIn(_Membership):
    """Values that are not in a list."""

    _is_allowed = False
    _phrase = "other than"

    @staticmethod
    def _declared_members(forbidden_values: Any) -> Any:
        return forbidden_values


@register_constraint("eq", "equal_to")
class EqualTo(_Membership):
    """Values equal to the declared value."""

    _phrase = "equal to"

    @staticmethod
    def _declared_members(value: Any) -> Any:
        return [value]


@register_constraint("ne", "not_equal_to")
class NotEqualTo(EqualTo):
    """Values other than the declared value."""

    _is_allowed = False
    _phrase = "other than"


class _TextConstraint(Constraint):
    """A check of the characters of a text."""

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        if declared.kind not in _TEXT_KINDS:
            raise TypeError("only texts have characters")


@register_constraint("str_matches")
class StrMatches(_TextConstraint):
    """Texts that begin with a match of a regular expression of Python."""

    _phrase = "that begins with a match of"

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        self._pattern: re.Pattern[str] = declared.call(self._compile)
        self.expected = f"{self._phrase} {self._pattern.pattern!r}"

    @staticmethod
    def _compile(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern)

    def accepts(self, value: Any) -> bool:
        """Whether a text begins with a match."""
        return self._pattern.match(value) is not None

    def pandera(self) -> Check:
        """Return Pandera's form, with the regular expressions of Python."""
        super().pandera()
        return text_check(self.accepts, error=self.name)


@register_constraint("str_contains")
class StrContains(StrMatches):
    """Texts in which a regular expression of Python matches somewhere."""

    _phrase = "that contains a match of"

    def accepts(self, value: Any) -> bool:
        """Whether a text contains a match."""
        return self._pattern.search(value) is not None


@register_constraint("str_startswith")
class StrStartsWith(_TextConstraint):
    """Texts that start with a text."""

    _phrase = "that starts with"

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        self._part: str = declared.call(lambda string: string)
        if not isinstance(self._part, str):
            raise TypeError("a text starts with a text")
        self.expected = f"{self._phrase} {self._part!r}"

    def accepts(self, value: Any) -> bool:
        """Whether a text starts with the declared one."""
        return bool(value.startswith(self._part))


@register_constraint("str_endswith")
class StrEndsWith(StrStartsWith):
    """Texts that end with a text."""

    _phrase = "that ends with"

    def accepts(self, value: Any) -> bool:
        """Whether a text ends with the declared one."""
        return bool(value.endswith(self._part))


@register_constraint("str_length")
class StrLength(_TextConstraint):
    """Texts with a number of characters within limits."""

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        given = declared.arguments if isinstance(declared.arguments, dict) else {"exact_value": declared.arguments}
        self._low, self._high = self._length_limits(**given)
        ends = f"at least {self._low}" if self._high is None else f"{self._low} to {self._high}"
        self.expected = f"of {ends} characters"

    @staticmethod
    def _length_limits(
        min_value: float | None = None, max_value: float | None = None, exact_value: float | None = None
    ) -> tuple[float, float | None]:
        low, high = (min_value, max_value) if exact_value is None else (exact_value, exact_value)
        if not isinstance(low, int | float | None) or not isinstance(high, int | float | None):
            raise TypeError("a length is a number")
        return 0 if low is None else low, high

    def accepts(self, value: Any) -> bool:
        """Whether the number of characters is within the limits."""
        return self._low <= len(value) and (self._high is None or len(value) <= self._high)

    def json_schema(self) -> dict[str, Any]:
        """Return the limits of the length."""
        limits: dict[str, Any] = {"minLength": self._low, "maxLength": self._high}
        return {key: limit for key, limit in limits.items() if isinstance(limit, int) and limit >= 0}


def _as_kind(value: Any, kind: ColumnKind) -> Any:
    """Return the value of the kind that is equal to `value`, or None when there is none."""
    if kind in _TEXT_KINDS:
        return value if isinstance(value, str) else None
    if kind == "datetime":
        return parse_moment(value) if isinstance(value, str) else None
    return _NUMBER_CONVERTERS[kind](value) if isinstance(value, int | float) else None


def _as_integer(value: float) -> int | None:
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if MIN_INT64 <= value <= MAX_INT64 else None


def _as_float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number + 0.0 if number == value else None  # -0.0 becomes 0.0, which Arrow distinguishes


def _as_boolean(value: float) -> bool | None:
    return bool(value) if value in (0, 1) else None


_NUMBER_CONVERTERS: dict[str, Callable[[float], Any]] = {
    "integer": _as_integer,
    "float": _as_float,
    "boolean": _as_boolean,
}
