"""Estimate confidence intervals of metrics by the bootstrap over rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics.labeled_predictions import WeightedPredictions
from pipeline.metrics.metric_table import METRICS, compute_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions

    Floats = NDArray[np.float64]

__all__ = ["MetricEstimate", "compare_paired", "estimate_metrics", "expected_metric_if_calibrated", "round_significant"]

_MAX_CHUNK_DRAWS = 1 << 18
_SIGNIFICANT_DIGITS = 10
_MIN_DEFINED_SHARE = 0.9


def round_significant(value: float | np.floating[Any] | None) -> float | None:
    """Round `value` to 10 significant digits, so that summation order has no effect; None for NaN and None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.{_SIGNIFICANT_DIGITS}g}")


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A metric and its interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Return plain values with 10 significant digits."""
        return {
            "value": round_significant(self.value),
            "low": round_significant(self.low),
            "high": round_significant(self.high),
        }


def estimate_metrics(
    scored: LabeledPredictions, names: Sequence[str], *, confidence_level: float, n_resamples: int, seed: int
) -> dict[str, MetricEstimate]:
    """Return metrics with percentile intervals of the bootstrap over rows (Efron 1979).

    Parameters
    ----------
    scored : LabeledPredictions
    names : sequence of str
        Members of `METRICS`; all use the same resamples.
    confidence_level : float between 0 and 1
        Level of the intervals, such as 0.95.
    n_resamples : int
        Number of bootstrap resamples.
    seed : int

    Notes
    -----
    A resample for which a metric is not defined (an AUC when only one class was drawn) is left out;
    with more than one in ten of them there is no interval.
    """
    values = compute_metrics(scored, names)
    (drawn,) = _resampled_metrics([scored], names, n_resamples, seed=seed)
    return {name: _percentile_interval(values[name], drawn[name], confidence_level) for name in names}


def compare_paired(
    scored: LabeledPredictions,
    other: LabeledPredictions,
    names: Sequence[str],
    *,
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> dict[str, MetricEstimate]:
    """Return the metrics of `scored` minus those of `other`, with intervals of the paired bootstrap.

    Both hold the same rows, scored by two models. Each resample draws rows once for both, so the difficulty of
    rows cancels. An interval without 0 shows a difference.

    Raises
    ------
    DataError
        When the true classes differ.
    """
    if not np.array_equal(scored.y, other.y):
        raise DataError("metrics: two models must be compared on the same rows; these have different true classes")
    value, against = compute_metrics(scored, names), compute_metrics(other, names)
    drawn, drawn_other = _resampled_metrics([scored, other], names, n_resamples, seed=seed)
    return {
        name: _percentile_interval(value[name] - against[name], drawn[name] - drawn_other[name], confidence_level)
        for name in names
    }


def expected_metric_if_calibrated(scored: LabeledPredictions, name: str, *, n_resamples: int, seed: int) -> float:
    """Return the mean of a metric over true classes drawn from the probabilities themselves.

    This is the expected metric of a perfectly calibrated model: consistency resampling (Bröcker and Smith 2007,
    "Increasing the reliability of reliability diagrams"). A calibration error is about this large by chance.

    Parameters
    ----------
    scored : LabeledPredictions
    name : str
        Member of `METRICS` that needs probabilities.
    n_resamples : int
        Number of draws of true classes.
    seed : int
    """
    rng = np.random.default_rng(seed)
    upper = np.cumsum(scored.probabilities, axis=1)
    drawn = (rng.random(scored.n_rows)[:, None] * upper[:, -1:] >= upper for _ in range(n_resamples))
    values = [compute_metrics(replace(scored, y=above.sum(axis=1)), [name])[name] for above in drawn]
    return float(np.mean(values))


def _resampled_metrics(
    group: Sequence[LabeledPredictions], names: Sequence[str], resamples: int, *, seed: int
) -> list[dict[str, Floats]]:
    """Return every metric of each resample, for models scored on the same rows."""
    drawn: list[dict[str, list[Floats]]] = [{name: [] for name in names} for _ in group]
    for weights in _resample_weights(group[0].n_rows, resamples, np.random.default_rng(seed)):
        for scored, parts in zip(group, drawn, strict=True):
            rows = WeightedPredictions(scored, weights)
            for name in names:
                parts[name].append(METRICS[name].function(rows))
    return [{name: np.concatenate(values) for name, values in parts.items()} for parts in drawn]


def _resample_weights(n_rows: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each row was drawn, for a few resamples at a time so that they fit into the cache."""
    at_once = max(1, min(resamples, _MAX_CHUNK_DRAWS // n_rows))
    for start in range(0, resamples, at_once):
        n = min(at_once, resamples - start)
        drawn = rng.integers(0, n_rows, size=(n, n_rows))
        drawn += np.arange(n)[:, None] * n_rows
        yield np.bincount(drawn.ravel(), minlength=n * n_rows).reshape(n, n_rows).astype(np.float64)


def _percentile_interval(value: float, drawn: Floats, confidence: float) -> MetricEstimate:
    if math.isnan(value):
        return MetricEstimate(None, None, None)
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < _MIN_DEFINED_SHARE * len(drawn):
        return MetricEstimate(value, None, None)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return MetricEstimate(value, float(low), float(high))
