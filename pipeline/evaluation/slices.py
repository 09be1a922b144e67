"""Judge every part of the test rows on its own: each word, each quantile, each missing cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import METRICS, MetricEstimate, compute_metrics, estimate_metrics, get_metric, round_significant

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.training_config import EvaluationConfig
    from pipeline.metrics import LabeledPredictions
    from pipeline.schema import Column, Schema

    Mask = NDArray[np.bool_]

__all__ = ["Slice", "evaluate_slices"]


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the rows with its figures.

    `stands_out` says that the whole interval lies on the worse side of the figure of all rows. It is
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


def evaluate_slices(
    scored: LabeledPredictions,
    train: pd.DataFrame,
    test: pd.DataFrame,
    schema: Schema,
    config: EvaluationConfig,
    *,
    seed: int,
) -> tuple[list[Slice], list[tuple[str, str, int]]]:
    """Return the slices worst first, and column, value and rows of those that were too small to judge.

    Parameters
    ----------
    scored : Scored
        The rows of `test`, judged.
    train, test : DataFrame
        Quantiles are those of `train`, so that a slice means the same for the next model.
    schema : Schema
        Every feature is sliced, and every protected column, whatever its size; text is not.
    config : EvaluationConfig
        `slices`, `metrics`, `confidence` and `resamples` are read.
    seed : int
    """
    metric = get_metric(config.slices.metric, setting="evaluation.slices.metric").name
    overall = compute_metrics(scored, [metric])[metric]
    found, too_small = [], []
    for column in schema.columns:
        if column.kind == "text" or not (column.role == "feature" or column.protected):
            continue
        for value, inside in _column_slices(column, train[column.name], test[column.name], config.slices.quantiles):
            rows = int(inside.sum())
            if rows and (column.protected or rows >= config.slices.min_rows):
                found.append(_evaluate_slice(column.name, value, scored.take(inside), overall, config, seed))
            elif rows:
                too_small.append((column.name, value, rows))
    return sorted(found, key=_worst_first_key), too_small


def _evaluate_slice(
    column: str, value: str, scored: LabeledPredictions, overall: float, config: EvaluationConfig, seed: int
) -> Slice:
    name = config.slices.metric
    found = estimate_metrics(
        scored, [name], confidence_level=config.confidence_level, n_resamples=config.bootstrap_samples, seed=seed
    )[name]
    metrics = {one: round_significant(figure) for one, figure in compute_metrics(scored, config.metrics).items()}
    stands_out = None
    if found.low is not None and found.high is not None:
        stands_out = found.high < overall if METRICS[name].higher_is_better else found.low > overall
    return Slice(column, value, scored.n_rows, name, found, metrics, stands_out)


def _worst_first_key(slice_: Slice) -> tuple[bool, float, str, str]:
    value = slice_.estimate.value
    if value is None:
        return (True, 0.0, slice_.column, slice_.value)
    return (False, value if METRICS[slice_.metric].higher_is_better else -value, slice_.column, slice_.value)


def _column_slices(column: Column, train: pd.Series, test: pd.Series, quantiles: int) -> Iterator[tuple[str, Mask]]:
    """Yield the name of each part of a column and which rows of `test` are in it; missing last."""
    is_missing = test.isna().to_numpy(dtype=bool)
    if column.kind in ("category", "boolean"):
        yield from _category_slices(column, test)
    else:
        yield from _range_slices(column, _to_floats(train, column), _to_floats(test, column), quantiles)
    yield "missing", is_missing


def _category_slices(column: Column, test: pd.Series) -> Iterator[tuple[str, Mask]]:
    values = {"false": False, "true": True} if column.kind == "boolean" else {word: word for word in column.categories}
    left = test.notna().to_numpy(dtype=bool)
    for word, value in values.items():
        inside = (test == value).to_numpy(dtype=bool, na_value=False)
        left = left & ~inside
        yield word, inside
    yield "not declared", left


def _to_floats(values: pd.Series, column: Column) -> NDArray[np.float64]:
    if column.kind == "datetime":
        moments = values.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _range_slices(
    column: Column, train: NDArray[np.float64], test: NDArray[np.float64], quantiles: int
) -> Iterator[tuple[str, Mask]]:
    known = train[~np.isnan(train)]
    if not len(known):
        return
    shares = np.arange(1, quantiles) / quantiles
    edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    edges = edges[edges < known.max()]
    if not len(edges):
        yield "any value", ~np.isnan(test)
        return
    yield f"up to {_format_edge(edges[0], column)}", test <= edges[0]
    for low, high in pairwise(edges):
        yield _range_label(low, high, column), (test > low) & (test <= high)
    yield f"above {_format_edge(edges[-1], column)}", test > edges[-1]


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
