"""Turn declared columns into a Pandera schema; the only place where its checks are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandera.pandas as pa

    from pipeline.schema.declaration import Column, Schema

__all__ = ["DeclaredCheck", "declared_checks", "pandera_schema"]

_CHECK_ALIASES = ("between", "eq", "ge", "gt", "le", "lt", "ne")


@dataclass(frozen=True, slots=True)
class DeclaredCheck:
    """One registered Pandera check with its arguments, as declared."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def declared_checks(column: Column) -> tuple[DeclaredCheck, ...]:
    """Return the rules of a column: a mapping gives arguments by name, anything else is the only argument."""
    return tuple(
        DeclaredCheck(name, (), given) if isinstance(given, dict) else DeclaredCheck(name, (given,), {})
        for name, given in column.checks.items()
    )


def pandera_schema(schema: Schema, *, with_target: bool = True) -> pa.DataFrameSchema:
    """Return Pandera's form of the declaration; its failures carry the declared names of rules.

    Types are left to those who read: they know how to say what cannot be converted, and one broken
    column must not hide the others.

    Parameters
    ----------
    schema : Schema
    with_target : bool
        Whether the target column is checked too.

    Raises
    ------
    ConfigError
        Naming the key, when a check is not registered with Pandera or refuses its arguments.
    """
    import pandera.pandas as pa

    columns = {
        column.name: pa.Column(
            None,
            checks=[_to_pandera_check(column, rule) for rule in declared_checks(column)],
            nullable=column.nullable,
            unique=column.unique,
            required=False,
        )
        for column in schema.columns
    }
    if with_target:
        words = pa.Check.isin(list(schema.target.classes), error="isin")
        columns[schema.target.column] = pa.Column(None, checks=[words], nullable=False, required=False)
    unique = list(schema.unique) if schema.unique is not None else None
    return pa.DataFrameSchema(columns, unique=unique)


def _to_pandera_check(column: Column, rule: DeclaredCheck) -> pa.Check:
    import pandera.pandas as pa

    where = f"data.columns.{column.name}.checks.{rule.name}"
    known = sorted({*pa.Check.CHECK_FUNCTION_REGISTRY, *pa.Check.REGISTERED_CUSTOM_CHECKS, *_CHECK_ALIASES})
    if rule.name not in known:
        raise ConfigError(
            f"{where}: is not registered with Pandera; known: {', '.join(known)}{did_you_mean(rule.name, known)}"
        )
    given = rule.kwargs or rule.args[0]
    members = next(iter(rule.kwargs.values())) if rule.kwargs else given
    if rule.name in ("isin", "notin") and not isinstance(members, list):
        raise ConfigError(f"{where}: found {given!r}; give a list of values, such as {rule.name}: [1, 2]")
    try:
        check: pa.Check = getattr(pa.Check, rule.name)(*rule.args, **rule.kwargs, error=rule.name)
    except (TypeError, ValueError, re.error) as error:
        raise ConfigError(f"{where}: found {given!r}: {error}") from error
    return check
