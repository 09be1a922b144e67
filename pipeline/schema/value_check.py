"""Define a check of an extension: a function that accepts or refuses one value of a column."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pipeline.errors import ConfigError
from pipeline.extensions import call_extension
from pipeline.schema.constraint_base import Constraint, DeclaredCheck
from pipeline.schema.constraints import register_constraint
from pipeline.schema.pandera_checks import value_check

if TYPE_CHECKING:
    from pandera.pandas import Check

__all__ = ["define_value_check"]

F = TypeVar("F", bound=Callable[..., bool])


class _FunctionConstraint(Constraint):
    """A check by a function of an extension; `true` in YAML calls it without arguments."""

    _function: ClassVar[Callable[..., bool]]
    _phrase: ClassVar[str]

    def __init__(self, declared: DeclaredCheck) -> None:
        super().__init__(declared)
        given = declared.arguments
        self._named: dict[str, Any] = given if isinstance(given, dict) else {}
        self._listed = () if isinstance(given, dict) or given is True else (given,)
        inspect.signature(self._function).bind(None, *self._listed, **self._named)
        self.expected = self._phrase

    def accepts(self, value: Any) -> bool:
        """Whether the function of the extension accepts a value."""
        return bool(call_extension(f"check {self.name}", self._function, value, *self._listed, **self._named))

    def pandera(self) -> Check:
        """Return Pandera's form, which calls the function for each value."""
        return value_check(self.accepts, error=self.name)


def define_value_check(name: str, *, expected: str) -> Callable[[F], F]:
    """Return a decorator that adds a check for `data.columns.COLUMN.checks`.

    The function gets a value that is not missing, then the declared arguments, and returns whether it accepts the
    value. Validation, the API and file scoring call it once for each distinct value.

    Parameters
    ----------
    name : str
        Name of the check in YAML.
    expected : str
        The text after "expected a number" or "expected a text" in an error, such as `that is a prime`.

    Raises
    ------
    ConfigError
        When a check has the name already.
    """

    def add(function: F) -> F:
        members = {"_function": staticmethod(function), "_phrase": expected, "__doc__": function.__doc__}
        try:
            register_constraint(name)(type(f"{name.title().replace('_', '')}Check", (_FunctionConstraint,), members))
        except ValueError as error:
            raise ConfigError(f"check {name}: exists already; choose another name") from error
        return function

    return add
