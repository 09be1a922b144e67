"""Compile declared checks into functions over Arrow arrays, for rows that do not fit in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.checks import rules_of
from pipeline.validation.table import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.schema import Column
    from pipeline.schema.checks import Rule

    Breaks = Callable[[pa.Array], "NDArray[np.bool_] | None"]

__all__ = ["CompiledRule", "compile_rules"]

_BOUNDS = {
    "greater_than": "gt",
    "greater_than_or_equal_to": "ge",
    "less_than": "lt",
    "less_than_or_equal_to": "le",
    "gt": "gt",
    "ge": "ge",
    "lt": "lt",
    "le": "le",
}
_COMPARE = {"gt": pc.less_equal, "ge": pc.less, "lt": pc.greater_equal, "le": pc.greater}


class CompiledRule:
    """One rule of one column; `breaks` tells which values break it, None where none does."""

    def __init__(self, column: str, name: str, breaks: Breaks) -> None:
        self.column = column
        self.name = name
        self.breaks = breaks


def compile_rules(column: Column) -> tuple[list[CompiledRule], list[str]]:
    """Return the rules of a column that have an Arrow form, and the names of those that have none.

    A missing value breaks no rule but `missing`, as with Pandera's `ignore_na`.
    """
    compiled = [] if column.nullable else [CompiledRule(column.name, "missing", _missing)]
    left: list[str] = []
    for rule in rules_of(column):
        breaks = _compiled(column, rule)
        if breaks is None:
            left.append(rule.name)
        else:
            compiled.append(CompiledRule(column.name, rule.name, breaks))
    return compiled, left


def _missing(array: pa.Array) -> NDArray[np.bool_] | None:
    return is_missing(array) if array.null_count else None


def _compiled(column: Column, rule: Rule) -> Breaks | None:
    if column.kind in ("category", "text"):
        accepts = _accepts_word(rule)
        return None if accepts is None else lambda array: _by_word(array, accepts)
    if column.kind == "boolean":
        return None
    if rule.name in ("in_range", "between"):
        return _range(**rule.kwargs) if rule.kwargs else None
    if rule.name in _BOUNDS:
        return _bound(_BOUNDS[rule.name], _only(rule))
    if rule.name in ("isin", "notin", "equal_to", "eq", "not_equal_to", "ne"):
        return _listed(rule)
    return None


def _only(rule: Rule) -> Any:
    return rule.args[0] if rule.args else next(iter(rule.kwargs.values()))


def _range(
    min_value: Any = None, max_value: Any = None, *, include_min: bool = True, include_max: bool = True
) -> Breaks:
    low = _bound("ge" if include_min else "gt", min_value) if min_value is not None else None
    high = _bound("le" if include_max else "lt", max_value) if max_value is not None else None

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        below = low(array) if low is not None else None
        above = high(array) if high is not None else None
        return above if below is None else below if above is None else below | above

    return breaks


def _bound(kind: str, limit: Any) -> Breaks:
    outside = _COMPARE[kind]
    index = "min" if kind in ("gt", "ge") else "max"

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        bound = _scalar(limit, array.type)
        extreme = pc.min_max(array)[index]
        if not extreme.is_valid or not outside(extreme, bound).as_py():
            return None
        return _as_mask(outside(array, bound))

    return breaks


def _scalar(value: Any, wanted: pa.DataType) -> pa.Scalar:
    if pa.types.is_timestamp(wanted):
        import pandas as pd

        return pa.scalar(pd.Timestamp(value).to_pydatetime(), wanted)
    return pa.scalar(value)


def _listed(rule: Rule) -> Breaks:
    given = _only(rule)
    members = given if isinstance(given, list) else [given]
    is_welcome = rule.name in ("isin", "equal_to", "eq")

    def breaks(array: pa.Array) -> NDArray[np.bool_] | None:
        if pa.types.is_floating(array.type):
            array = pc.add(array, 0.0)  # -0.0 is 0, which Arrow does not say of members
        accepted = pa.array([_scalar(one, array.type).as_py() for one in members]).cast(array.type, safe=False)
        found = np.asarray(pc.is_in(array, accepted).to_numpy(zero_copy_only=False), dtype=bool)
        broken = (~found if is_welcome else found) & ~is_missing(array)
        return broken if broken.any() else None

    return breaks


def _as_mask(found: pa.BooleanArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)  # noqa: FBT003


def _by_word(array: pa.Array, accepts: Callable[[str], bool]) -> NDArray[np.bool_] | None:
    """Ask each different word once, then every row by its word."""
    refused = np.array([word is not None and not accepts(word) for word in array.dictionary.to_pylist()] + [False])
    if not refused.any():
        return None
    broken = refused[np.asarray(array.indices.fill_null(len(refused) - 1))]
    return broken if broken.any() else None


def _accepts_word(rule: Rule) -> Callable[[str], bool] | None:
    if rule.name == "str_length":
        low, high = rule.kwargs.get("min_value", 0), rule.kwargs.get("max_value", float("inf"))
        return (lambda word: low <= len(word) <= high) if rule.kwargs and "exact_value" not in rule.kwargs else None
    given = _only(rule)
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
