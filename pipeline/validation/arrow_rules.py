"""Compile declared checks into functions over Arrow arrays, for rows that do not fit in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.pandera_schema import declared_checks
from pipeline.validation.arrow_rows import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.schema import Column
    from pipeline.schema.pandera_schema import DeclaredCheck

    FindViolations = Callable[[pa.Array], "NDArray[np.bool_] | None"]

__all__ = ["CompiledRule", "compile_rules"]

_BOUND_ALIASES = {
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
    "gt": "gt",
    "ge": "ge",
    "lt": "lt",
    "le": "le",
}
_VIOLATES_BOUND = {"gt": pc.less_equal, "ge": pc.less, "lt": pc.greater_equal, "le": pc.greater}


class CompiledRule:
    """One rule of one column; `breaks` tells which values break it, None where none does."""

    def __init__(self, column: str, name: str, violations: FindViolations) -> None:
        self.column = column
        self.name = name
        self.violations = violations


def compile_rules(column: Column) -> tuple[list[CompiledRule], list[str]]:
    """Return the rules of a column that have an Arrow form, and the names of those that have none.

    A missing value breaks no rule but `missing`, as with Pandera's `ignore_na`.
    """
    compiled = [] if column.nullable else [CompiledRule(column.name, "missing", _missing_violations)]
    left: list[str] = []
    for rule in declared_checks(column):
        breaks = _compile_rule(column, rule)
        if breaks is None:
            left.append(rule.name)
        else:
            compiled.append(CompiledRule(column.name, rule.name, breaks))
    return compiled, left


def _missing_violations(array: pa.Array) -> NDArray[np.bool_] | None:
    return is_missing(array) if array.null_count else None


def _compile_rule(column: Column, rule: DeclaredCheck) -> FindViolations | None:
    if column.kind in ("category", "text"):
        accepts = _word_predicate(rule)
        return None if accepts is None else lambda array: _violations_by_word(array, accepts)
    if column.kind == "boolean":
        return None
    if rule.name in ("in_range", "between"):
        return _range_violations(**rule.kwargs) if rule.kwargs else None
    if rule.name in _BOUND_ALIASES:
        return _bound_violations(_BOUND_ALIASES[rule.name], _single_argument(rule))
    if rule.name in ("isin", "notin", "equal_to", "eq", "not_equal_to", "ne"):
        return _membership_violations(rule)
    return None


def _single_argument(rule: DeclaredCheck) -> Any:
    return rule.args[0] if rule.args else next(iter(rule.kwargs.values()))


def _range_violations(
    min_value: Any = None, max_value: Any = None, *, include_min: bool = True, include_max: bool = True
) -> FindViolations:
    low = _bound_violations("ge" if include_min else "gt", min_value) if min_value is not None else None
    high = _bound_violations("le" if include_max else "lt", max_value) if max_value is not None else None

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        below = low(array) if low is not None else None
        above = high(array) if high is not None else None
        return above if below is None else below if above is None else below | above

    return breaks


def _bound_violations(kind: str, limit: Any) -> FindViolations:
    outside = _VIOLATES_BOUND[kind]
    index = "min" if kind in ("gt", "ge") else "max"

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        bound = _to_scalar(limit, array.type)
        extreme = pc.min_max(array)[index]
        if not extreme.is_valid or not outside(extreme, bound).as_py():
            return None
        return _as_mask(outside(array, bound))

    return breaks


def _to_scalar(value: Any, arrow_type: pa.DataType) -> pa.Scalar:
    if pa.types.is_timestamp(arrow_type):
        import pandas as pd

        return pa.scalar(pd.Timestamp(value).to_pydatetime(), arrow_type)
    return pa.scalar(value)


def _membership_violations(rule: DeclaredCheck) -> FindViolations:
    given = _single_argument(rule)
    members = given if isinstance(given, list) else [given]
    is_welcome = rule.name in ("isin", "equal_to", "eq")

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        if pa.types.is_floating(array.type):
            array = pc.add(array, 0.0)  # -0.0 is 0, which Arrow does not say of members
        accepted = pa.array([_to_scalar(one, array.type).as_py() for one in members]).cast(array.type, safe=False)
        found = np.asarray(pc.is_in(array, accepted).to_numpy(zero_copy_only=False), dtype=bool)
        broken = (~found if is_welcome else found) & ~is_missing(array)
        return broken if broken.any() else None

    return breaks


def _as_mask(violations: pa.BooleanArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(violations, False).to_numpy(zero_copy_only=False), dtype=bool)  # noqa: FBT003


def _violations_by_word(array: pa.Array, accepts: Callable[[str], bool]) -> NDArray[np.bool_] | None:
    """Ask each different word once, then every row by its word."""
    refused = np.array([word is not None and not accepts(word) for word in array.dictionary.to_pylist()] + [False])
    if not refused.any():
        return None
    broken = refused[np.asarray(array.indices.fill_null(len(refused) - 1))]
    return broken if broken.any() else None


def _word_predicate(rule: DeclaredCheck) -> Callable[[str], bool] | None:
    if rule.name == "str_length":
        low, high = rule.kwargs.get("min_value", 0), rule.kwargs.get("max_value", float("inf"))
        return (lambda word: low <= len(word) <= high) if rule.kwargs and "exact_value" not in rule.kwargs else None
    given = _single_argument(rule)
    words = {
        "isin": lambda word: word in given,
        "notin": lambda word: word not in given,
        "equal_to": lambda word: word == given,
        "eq": lambda word: word == given,
        "not_equal_to": lambda word: word != given,
        "ne": lambda word: word != given,
        "str_startswith": lambda word: word.startswith(given),
        "str_endswith": lambda word: word.endswith(given),
    }
    if rule.name in words:
        return words[rule.name]
    if rule.name in ("str_matches", "str_contains"):
        pattern = re.compile(given)
        found = pattern.match if rule.name == "str_matches" else pattern.search
        return lambda word: found(word) is not None
    return None
