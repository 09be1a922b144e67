"""Evaluate each slice of the test rows: each category, each range between quantiles, each missing value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import (
    METRICS,
    MetricEstimate,
    comparison_verdict,
    compute_metrics,
    estimate_metrics,
    round_significant,
)
from pipeline.schema import Column
from pipeline.schema.value_groups import MIN_GROUP_ROWS, group_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.evaluation_config import EvaluationConfig
    from pipeline.metrics import LabeledPredictions
    from pipeline.schema import Schema

    Mask = NDArray[np.bool_]

__all__ = ["Slice", "SliceReport", "SmallSlice", "evaluate_slices", "slice_rows"]

_MAX_WORDS = 20


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of the rows with its metrics.

    `is_clearly_worse` means that the whole interval lies on the worse side of the metric of all rows. It is
    None where the metric or its interval is not defined.
    """

    column: str
    value: str
    n_rows: int
    metric: str
    estimate: MetricEstimate
    metrics: dict[str, float | None]
    is_clearly_worse: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 10 significant digits."""
        return {
            "column": self.column,
            "part": self.value,
            "rows": self.n_rows,
            "metric": self.metric,
            **self.estimate.as_dict(),
            "metrics": self.metrics,
            "stands_out": self.is_clearly_worse,
        }


@dataclass(frozen=True, slots=True)
class SmallSlice:
    """A slice with too few rows to evaluate."""

    column: str
    value: str
    rows: int


@dataclass(frozen=True, slots=True)
class SliceReport:
    """The evaluated slices, worst first, and those with too few rows."""

    evaluated: tuple[Slice, ...]
    too_small: tuple[SmallSlice, ...]


def evaluate_slices(
    scored: LabeledPredictions,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    schema: Schema,
    config: EvaluationConfig,
) -> SliceReport:
    """Evaluate each slice that has enough rows.

    Parameters
    ----------
    scored : LabeledPredictions
        The rows of `test` with their predictions.
    train, test : DataFrame
        Quantiles are those of `train`, so a slice means the same for the next model. Those of a private column are
        levels of groups of rows.
    schema : Schema
        Every feature is sliced, and every protected column whatever its size; text by its most frequent words, or by
        its length where hardly any text occurs twice.
    config : EvaluationConfig
        `slices`, `metrics` and `confidence_level` are read.
    """
    metric = config.slices.metric
    overall = compute_metrics(scored, [metric])[metric]
    slices, too_small = [], []
    for column, value, inside in slice_rows(schema, train, test, n_quantiles=config.slices.quantiles):
        n_rows = int(inside.sum())
        if n_rows and (column.protected or n_rows >= config.slices.min_rows):
            rows = scored.take(inside)
            slices.append(_evaluate_slice(column.name, value, rows, overall=overall, config=config))
        elif n_rows:
            too_small.append(SmallSlice(column.name, value, n_rows))
    return SliceReport(tuple(sorted(slices, key=_worst_first_key)), tuple(too_small))


def slice_rows(
    schema: Schema, train: pd.DataFrame, test: pd.DataFrame, *, n_quantiles: int
) -> Iterator[tuple[Column, str, Mask]]:
    """Yield each slice: its column, its name, and a mask of its rows in `test`."""
    for column in schema.columns:
        if column.role == "feature" or (column.protected and column.kind != "text"):
            slices = _column_slices(column, train[column.name], test[column.name], quantiles=n_quantiles)
            yield from ((column, value, inside) for value, inside in slices)


def _evaluate_slice(
    column: str, value: str, scored: LabeledPredictions, *, overall: float, config: EvaluationConfig
) -> Slice:
    name = config.slices.metric
    estimate = estimate_metrics(scored, [name], confidence_level=config.confidence_level)[name]
    values = compute_metrics(scored, config.metrics)
    verdict = comparison_verdict(estimate.minus(overall), higher_is_better=METRICS[name].higher_is_better)
    return Slice(
        column=column,
        value=value,
        n_rows=scored.n_rows,
        metric=name,
        estimate=estimate,
        metrics={metric: round_significant(value) for metric, value in values.items()},
        is_clearly_worse=None if verdict == "not compared" else verdict == "worse",
    )


def _worst_first_key(slice_: Slice) -> tuple[bool, float, str, str]:
    value = slice_.estimate.value
    if value is None:
        return (True, 0.0, slice_.column, slice_.value)
    return (False, value if METRICS[slice_.metric].higher_is_better else -value, slice_.column, slice_.value)


def _column_slices(column: Column, train: pd.Series, test: pd.Series, *, quantiles: int) -> Iterator[tuple[str, Mask]]:
    """Yield the name of each slice of a column and a mask of its rows in `test`; missing values last."""
    is_missing = test.isna().to_numpy(dtype=bool)
    if column.kind in ("category", "boolean"):
        yield from _category_slices(column, test)
    elif column.kind == "text":
        yield from _text_slices(column, train, test, quantiles=quantiles)
    else:
        yield from _range_slices(column, _to_floats(train, column), _to_floats(test, column), quantiles=quantiles)
    yield "missing", is_missing


def _category_slices(column: Column, test: pd.Series) -> Iterator[tuple[str, Mask]]:
    values = {"false": False, "true": True} if column.kind == "boolean" else {name: name for name in column.categories}
    is_undeclared = test.notna().to_numpy(dtype=bool)
    for name, value in values.items():
        inside = (test == value).to_numpy(dtype=bool, na_value=False)
        is_undeclared = is_undeclared & ~inside
        yield name, inside
    yield "not declared", is_undeclared


def _text_slices(column: Column, train: pd.Series, test: pd.Series, *, quantiles: int) -> Iterator[tuple[str, Mask]]:
    n_rows = train.value_counts()
    is_frequent = n_rows >= MIN_GROUP_ROWS
    if 2 * n_rows[is_frequent].sum() < n_rows.sum():
        lengths = Column(column.name, "integer", "Int64", store=column.store)
        parts = _range_slices(lengths, _text_lengths(train), _text_lengths(test), quantiles=quantiles)
        yield from ((f"length {name}", inside) for name, inside in parts)
        return
    words = [word for _, word in sorted((-int(n), str(word)) for word, n in n_rows[is_frequent].items())[:_MAX_WORDS]]
    yield from ((word, (test == word).to_numpy(dtype=bool, na_value=False)) for word in words)
    yield "other words", (test.notna() & ~test.isin(words)).to_numpy(dtype=bool)


def _text_lengths(values: pd.Series) -> NDArray[np.float64]:
    return np.asarray(values.str.len().to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _to_floats(values: pd.Series, column: Column) -> NDArray[np.float64]:
    if column.kind == "datetime":
        moments = values.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _range_slices(
    column: Column, train: NDArray[np.float64], test: NDArray[np.float64], *, quantiles: int
) -> Iterator[tuple[str, Mask]]:
    present = _numbers_to_show(column, train[~np.isnan(train)])
    if not len(present):
        return
    shares = np.arange(1, quantiles) / quantiles
    edges = np.unique(np.quantile(present, shares, method="inverted_cdf"))
    edges = edges[edges < present.max()]
    if not len(edges):
        yield "any value", ~np.isnan(test)
        return
    yield f"up to {_format_edge(edges[0], column)}", test <= edges[0]
    for low, high in pairwise(edges):
        yield _range_label(low, high, column), (test > low) & (test <= high)
    yield f"above {_format_edge(edges[-1], column)}", test > edges[-1]


def _numbers_to_show(column: Column, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers, or of a private column the levels of their groups; none where there are too few rows."""
    if not column.is_private:
        return numbers
    groups = group_values(numbers)
    levels = groups.replace(numbers) if groups.levels else numbers[:0]
    return np.floor(levels) if column.kind == "integer" else levels


def _range_label(low: float, high: float, column: Column) -> str:
    if column.kind != "integer":
        return f"above {_format_edge(low, column)} to {_format_edge(high, column)}"
    first = low + 1
    return (
        _format_edge(high, column)
        if first == high
        else f"{_format_edge(first, column)} to {_format_edge(high, column)}"
    )


def _format_edge(value: float, column: Column) -> str:
    if column.kind == "datetime":
        return str(np.datetime64(int(value), "us").astype("datetime64[s]"))
    return str(int(value)) if column.kind == "integer" else f"{value:.6g}"
