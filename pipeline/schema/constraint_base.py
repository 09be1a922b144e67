"""The base class of constraints: one declared check in its Python, Arrow, JSON Schema and Pandera forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import ConfigError
from pipeline.schema.arrow_violations import violations_by_distinct_value
from pipeline.schema.pandera_checks import registered_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pandera.pandas import Check
    from pyarrow import Array

    from pipeline.schema.column_kinds import ColumnKind
    from pipeline.schema.intervals import Bound, Interval

__all__ = [
    "Constraint",
    "DeclaredCheck",
    "InapplicableConstraint",
    "PanderaConstraint",
    "format_value",
    "merge_json_schemas",
    "narrowest_bounds",
]


@dataclass(frozen=True, slots=True)
class DeclaredCheck:
    """One check of a column, as declared: a mapping has arguments by name, any other value is the only argument."""

    column: str
    kind: ColumnKind
    name: str
    arguments: Any

    @property
    def key(self) -> str:
        """Key path of the declaration, for messages."""
        return f"data.columns.{self.column}.checks.{self.name}"

    def call(self, function: Callable[..., Any]) -> Any:
        """Call `function` with the declared arguments."""
        if isinstance(self.arguments, dict):
            return function(**self.arguments)
        return function(self.arguments)


class Constraint(ABC):
    """One declared check of one column.

    Attributes
    ----------
    name : str
        As declared; failures carry it.
    is_per_value : bool
        Whether single values pass or fail it; False for a check of a whole column.
    has_arrow_form : bool
        Whether `violations` can be called.
    expected : str
        The text that follows "expected a number" in an error.
    bounds : tuple of Bound
        The bounds that it declares.
    interval : Interval or None
        The values that it accepts, where they are all those between two of the column's type.
    literals : frozenset of str or None
        The values that it accepts, where it lists those of a category column.
    """

    is_per_value: ClassVar[bool] = True
    has_arrow_form: ClassVar[bool] = True
    bounds: tuple[Bound, ...] = ()
    expected: str = ""
    interval: Interval | None = None
    literals: frozenset[str] | None = None

    def __init__(self, declared: DeclaredCheck) -> None:
        self.declared = declared
        self.name = declared.name

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether a value of the column's kind passes; a moment may be an ISO text."""

    def violations(self, array: Array) -> NDArray[np.bool_] | None:
        """Return which values fail, shape (len(array),), or None where none does; a missing value fails no check.

        Texts come dictionary-encoded, other values with the Arrow type of the column's kind.
        """
        return violations_by_distinct_value(array, self.accepts)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema keywords that hold for every accepted value."""
        return {}

    def pandera(self) -> Check:
        """Return Pandera's form; its failures carry the declared name.

        Raises
        ------
        ConfigError
            Naming the key, when Pandera does not know the check or refuses its arguments.
        """
        check: Check = registered_check(self.declared.key, self.name, self.declared.arguments)
        return check


class PanderaConstraint(Constraint):
    """A check that only Pandera implements, such as one of a whole column; every single value passes."""

    is_per_value = False
    has_arrow_form = False

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - the signature of all constraints
        """Return True: the check is not one of single values."""
        return True


class InapplicableConstraint(Constraint):
    """A check whose arguments fit no value of the column's kind, so that none passes it."""

    has_arrow_form = False

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        self.expected = f"that passes {self.name}, which cannot be checked for {declared.kind} columns"

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - the signature of all constraints
        """Return False."""
        return False

    def pandera(self) -> Check:
        """Return Pandera's form, which reports that the check cannot run.

        Raises
        ------
        ConfigError
            When Pandera refuses the arguments, or when a moment is written in a form that only Pandera reads.
        """
        check = super().pandera()
        if self.declared.kind == "datetime" and not self.name.startswith("str_"):
            raise ConfigError(
                f"{self.declared.key}: found {self.declared.arguments!r}; write moments as 2026-01-31 or"
                " 2026-01-31T18:30:00, without a zone"
            )
        return check


def merge_json_schemas(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the keywords of all schemas; of two values of one keyword, the stricter."""
    merged: dict[str, Any] = {}
    for schema in schemas:
        for keyword, value in schema.items():
            merged[keyword] = _NARROWER[keyword](merged[keyword], value) if keyword in merged else value
    lower = merged.get("minimum", -inf), merged.get("exclusiveMinimum", -inf)
    upper = merged.get("maximum", inf), merged.get("exclusiveMaximum", inf)
    merged.pop("minimum" if lower[1] >= lower[0] else "exclusiveMinimum", None)
    merged.pop("maximum" if upper[1] <= upper[0] else "exclusiveMaximum", None)
    return merged


_NARROWER: dict[str, Callable[[Any, Any], Any]] = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "enum": lambda first, second: [value for value in first if value in second],
}


def format_value(value: Any) -> str:
    """Return a value as a message shows it: texts in quotes, booleans as JSON has them."""
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def narrowest_bounds(constraints: Sequence[Constraint]) -> tuple[float | None, float | None]:
    """Return the largest lower and the smallest upper bound; an infinite one bounds nothing."""
    bounds = [bound for constraint in constraints for bound in constraint.bounds if bound.is_finite_number]
    lower = [bound.value for bound in bounds if bound.side == "lower"]
    upper = [bound.value for bound in bounds if bound.side == "upper"]
    return max(lower, default=None), min(upper, default=None)
