"""Choose a few rows, whose probabilities a package stores to verify its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.package.bins import to_floats
from pipeline.package.edge_cases import EdgeCase, rows_with_edge_cases
from pipeline.schema.value_groups import group_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.modeling.classifier import Classifier
    from pipeline.schema import Column, Schema

__all__ = ["make_golden_rows"]

_N_MIXED_ROWS = 2_000
_MAX_EDGE_ROWS = 64
_UNSEEN_WORD = "a word that no training row has"


def make_golden_rows(classifier: Classifier, frame: pd.DataFrame, *, n_rows: int) -> dict[str, Any]:
    """Return `n_rows` rows spread evenly over the scores, then edge cases, with their expected predictions.

    No row is one of `frame`: each column is mixed on its own, so values of one row do not meet. A private column
    gets declared categories and levels of groups of rows instead. Edge cases are the middle row
    with one value changed (in a table of many columns: with several): to the smallest and the largest of a column that
    is stored in full, to a missing value, to a category that the train rows lack, to a word that is accepted as
    `other`; then all values missing. The schema accepts each of them.
    """
    names = [name for name in frame.columns if name in classifier.schema.feature_names]
    mixed = _mix_columns(frame[names], classifier.schema, n=min(len(frame), _N_MIXED_ROWS))
    order = np.argsort(classifier.predict_proba(mixed)[:, -1], kind="stable")
    picked = order[np.linspace(0, len(mixed) - 1, min(n_rows, len(mixed))).round().astype(int)]
    rows = _with_edge_case_rows(frame[names], mixed.iloc[picked], classifier.schema, _threshold_groups(classifier))
    return {
        "columns": {name: [_to_json_value(value) for value in rows[name].astype(object)] for name in rows},
        "probabilities": classifier.predict_proba(rows).tolist(),
        "classes": classifier.predict(rows).tolist(),
    }


def _mix_columns(frame: pd.DataFrame, schema: Schema, *, n: int) -> pd.DataFrame:
    """Return columns of `n` values each, in an order that is independent of the rows of `frame`."""
    import pandas as pd

    generator, mixed = np.random.default_rng(0), {}
    spread = np.linspace(0, len(frame) - 1, n).round().astype(int)
    for name in map(str, frame.columns):
        # Sorted first, since a permutation with a known seed can be undone.
        values = frame[name].sort_values(kind="stable", ignore_index=True).iloc[spread]
        if schema.column(name).is_private:
            values = _anonymous_values(schema.column(name), frame[name], n=n)
        mixed[name] = values.iloc[generator.permutation(n)].reset_index(drop=True)
    return pd.DataFrame(mixed)


def _anonymous_values(column: Column, values: pd.Series, *, n: int) -> pd.Series:
    """Return `n` accepted values that belong to no single row: levels of groups of rows, or declared values."""
    import pandas as pd

    accepted = [value for value in _group_levels(column, values, n=n) if column.accepts(value)]
    stand_ins: Sequence[object] = accepted or column.stand_ins or (None,)
    return pd.Series([stand_ins[i % len(stand_ins)] for i in range(n)], dtype=values.dtype)


def _group_levels(column: Column, values: pd.Series, *, n: int) -> list[Any]:
    """Return the level of each group of a column of numbers or dates, in the column's type; none of other kinds."""
    import pandas as pd

    if column.kind not in ("integer", "float", "datetime"):
        return []
    levels = group_values(to_floats(values), max_groups=n).levels
    if column.kind == "datetime":
        return [pd.Timestamp(int(level), unit="us") for level in levels]
    return [round(level) for level in levels] if column.kind == "integer" else list(levels)


def _threshold_groups(classifier: Classifier) -> list[EdgeCase]:
    """Return a value for each group that has a threshold of its own; a missing value is an edge case anyway."""
    groups = classifier.group_thresholds
    if groups is None:
        return []
    labels = [label for label in groups.thresholds if label not in ("missing", "unseen")]
    values: list[object] = [label == "true" for label in labels] if groups.kind == "boolean" else [*labels]
    return [EdgeCase(groups.column, value) for value in values]


def _with_edge_case_rows(
    frame: pd.DataFrame, mixed: pd.DataFrame, schema: Schema, group_cases: list[EdgeCase]
) -> pd.DataFrame:
    import pandas as pd

    parts = [mixed]
    cases = group_cases + [
        EdgeCase(column.name, value)
        for column in schema.features
        if column.name in frame
        for value in _edge_case_values(column, frame[column.name])
    ]
    if cases:
        base = mixed.iloc[[len(mixed) // 2]]
        parts.append(rows_with_edge_cases(base, cases, n_rows_each=1, max_rows=_MAX_EDGE_ROWS))
    if all(feature.nullable for feature in schema.features):
        parts.append(pd.DataFrame({name: pd.Series([None], dtype=frame[name].dtype) for name in frame}))
    return pd.concat(parts, ignore_index=True)


def _edge_case_values(column: Column, values: pd.Series) -> list[object]:
    edge_cases: list[object] = [None] if column.nullable else []
    present = values.dropna()
    if column.is_numeric and not column.is_private and not present.empty:
        edge_cases += [present.min(), present.max()]
    if column.kind == "category":
        seen = set(present.astype(object))
        edge_cases += [category for category in column.categories or () if category not in seen][:1]
        edge_cases += [_UNSEEN_WORD] if column.accepts_unseen and column.accepts(_UNSEEN_WORD) else []
    return edge_cases


def _to_json_value(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if isinstance(value, float) and np.isnan(value) else value
