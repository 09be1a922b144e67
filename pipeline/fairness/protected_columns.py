"""Find the columns whose groups are compared, and refuse settings that name others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, did_you_mean
from pipeline.fairness.group_tallies import Grouping
from pipeline.schema.column_values import factorize_texts, to_float64

if TYPE_CHECKING:
    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.schema import Column, Schema

__all__ = ["check_fairness", "group_by_words", "protected_columns"]

_GROUPED_KINDS = ("category", "boolean")


def protected_columns(schema: Schema) -> tuple[Column, ...]:
    """Return the columns that are declared `protected: true`, in their declared order."""
    return tuple(column for column in schema.columns if column.protected)


def group_by_words(name: str, kind: str, categories: tuple[str, ...], values: Any) -> Grouping:
    """Return the groups of a category or boolean column: each word, words that are not declared, missing values.

    Parameters
    ----------
    name, kind : str
        Of the column.
    categories : tuple of str
        Its declared words.
    values : list, Series or Arrow array
        Every form gives the same groups.
    """
    if kind == "boolean":
        numbers = to_float64(values)
        codes = np.where(np.isnan(numbers), 3, np.nan_to_num(numbers)).astype(np.int64)
        return Grouping((name,), ("false", "true", "unseen", "missing"), codes)
    n_words = len(categories)
    code_of = {word: code for code, word in enumerate(categories)}
    unseen, missing = (_other_label(label, categories) for label in ("unseen", "missing"))
    positions, distinct = factorize_texts(values)
    table = np.array([*(code_of.get(word, n_words) for word in distinct), n_words + 1], dtype=np.int64)
    return Grouping((name,), (*categories, unseen, missing), table[positions])


def _other_label(label: str, categories: tuple[str, ...]) -> str:
    """Return the label of a group that is no declared word, in parentheses where a word has the same name."""
    return _other_label(f"({label})", categories) if label in categories else label


def check_fairness(config: FairnessConfig, schema: Schema) -> None:
    """Refuse a column in group `fairness` that is not protected, or cannot be used as declared.

    Raises
    ------
    ConfigError
        Naming the setting, the column and what is expected.
    """
    for pair in config.pairs:
        for name in pair:
            _check_protected("fairness.pairs", name, schema)
        if pair[0] == pair[1]:
            raise ConfigError(f"fairness.pairs: names {pair[0]} twice; expected two different columns")
    mitigation = config.mitigation
    if mitigation.kind == "none" or mitigation.column is None:
        return
    column = _check_protected("fairness.mitigation.column", mitigation.column, schema)
    if column.kind not in _GROUPED_KINDS:
        raise ConfigError(
            f"fairness.mitigation.column: {column.name} is a column of kind {column.kind}; expected a category or a"
            " boolean column: declare one with the groups of its values"
        )
    if mitigation.kind == "thresholds":
        _check_thresholds(column, schema)


def _check_thresholds(column: Column, schema: Schema) -> None:
    if column.role != "feature":
        raise ConfigError(
            f"fairness.mitigation.column: {column.name} has the role {column.role}, and a request to predict has"
            " features only; use `kind: reweigh`, or declare the column with `role: feature`"
        )
    if not schema.target.is_binary:
        raise ConfigError(
            f"fairness.mitigation.kind: thresholds needs two classes and {schema.target.column} has"
            f" {len(schema.target.classes)}; use `kind: reweigh`"
        )


def _check_protected(setting: str, name: str, schema: Schema) -> Column:
    columns = {column.name: column for column in schema.columns}
    if name not in columns:
        raise ConfigError(f"{setting}: no column is called {name!r}{did_you_mean(name, sorted(columns))}")
    if not columns[name].protected:
        raise ConfigError(f"{setting}: {name} is not protected; write `protected: true` in data.columns.{name}")
    return columns[name]
