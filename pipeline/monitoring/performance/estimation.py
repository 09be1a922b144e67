"""Calculate the performance of a window from outcomes, and estimate it from probabilities before outcomes arrive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.metrics import METRICS, MetricEstimate, comparison_verdict, estimate_metrics, get_metric
from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions
from pipeline.monitoring.performance.score_histogram import ScoreHistogram, coarsen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "ESTIMABLE_METRICS",
    "Degradation",
    "IntervalOptions",
    "Performance",
    "calculate_realized_performance",
    "detect_degradation",
    "estimate_performance",
    "estimates_agree",
    "expected_metrics",
    "sufficient_estimates",
]

# Metrics that calibrated probabilities determine; an estimated calibration error would always be 0.
ESTIMABLE_METRICS = ("accuracy", "f1_weighted", "precision", "recall", "roc_auc", "pr_auc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class IntervalOptions:
    """How intervals of metrics are sampled.

    Parameters
    ----------
    confidence_level : float between 0 and 1
    bootstrap_samples : int
        Draws of outcomes, where none is known.
    seed : int
    """

    confidence_level: float
    bootstrap_samples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Performance:
    """Metrics of a window with their intervals.

    `n_rows` predictions, of which `n_outcomes` have an outcome; `is_estimated` when no outcome was used.
    """

    metrics: Mapping[str, MetricEstimate]
    n_rows: int
    n_outcomes: int
    is_estimated: bool

    @property
    def coverage(self) -> float:
        """Share of the predictions whose outcome is known."""
        return self.n_outcomes / self.n_rows if self.n_rows else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "is_estimated": self.is_estimated,
            "n_rows": self.n_rows,
            "n_outcomes": self.n_outcomes,
            "coverage": self.coverage,
            "metrics": {name: metric.as_dict() for name, metric in self.metrics.items()},
        }


def estimate_performance(
    histogram: ScoreHistogram, names: Sequence[str] = ESTIMABLE_METRICS, *, intervals: IntervalOptions
) -> Performance:
    """Return the metrics that calibrated probabilities imply: of ten rows with probability 0.9, nine are positive.

    Parameters
    ----------
    histogram : ScoreHistogram
    names : sequence of str
        Members of `METRICS`.
    intervals : IntervalOptions
        The interval covers the realized metric as far as it varies by chance alone.

    Notes
    -----
    This is confidence-based performance estimation: the metric of the expected confusion counts. It does not detect
    concept drift, where the same features have other outcomes. Its error is that of the probabilities.
    """
    if histogram.n_rows == 0:
        return Performance(
            {name: MetricEstimate(None, reason="no predictions") for name in names}, 0, 0, is_estimated=True
        )
    coarse, rng = coarsen(histogram), np.random.default_rng(intervals.seed)
    fine_values, coarse_values = (
        _metric_values(each.to_labeled_predictions(), _expected_outcome_weights(each), names)
        for each in (histogram, coarse)
    )
    weights = _sampled_outcome_weights(coarse, intervals.bootstrap_samples, rng)
    samples = _metric_values(coarse.to_labeled_predictions(), weights, names)
    # The interval of the coarse histogram has the right width around another center: it is shifted to the fine one.
    estimates = {
        name: _percentile_interval(
            fine_values[name], samples[name] - coarse_values[name] + fine_values[name], intervals.confidence_level
        )
        for name in names
    }
    return Performance(estimates, histogram.n_rows, 0, is_estimated=True)


def expected_metrics(histogram: ScoreHistogram, names: Sequence[str]) -> dict[str, float | None]:
    """Return the values of `estimate_performance` without their intervals; None where a metric is not defined."""
    values = _metric_values(histogram.to_labeled_predictions(), _expected_outcome_weights(histogram), names)
    return {name: None if np.isnan(value[0]) else float(value[0]) for name, value in values.items()}


def calculate_realized_performance(
    histogram: ScoreHistogram, names: Sequence[str], *, n_rows: int, intervals: IntervalOptions
) -> Performance:
    """Return the metrics of the rows with a known outcome, with their intervals.

    Parameters
    ----------
    histogram : ScoreHistogram
        With `outcome_counts`.
    names : sequence of str
        Members of `METRICS`.
    n_rows : int
        All predictions of the window, with and without an outcome.
    intervals : IntervalOptions
    """
    if histogram.outcome_counts is None or histogram.outcome_counts.sum() == 0:
        return Performance(
            {name: MetricEstimate(None, reason="no outcome is known") for name in names}, n_rows, 0, is_estimated=False
        )
    counts = histogram.outcome_counts.reshape(-1).astype(np.float64)
    estimates = estimate_metrics(
        histogram.to_labeled_predictions(), names, confidence_level=intervals.confidence_level, weights=counts
    )
    return Performance(estimates, n_rows, round(float(counts.sum())), is_estimated=False)


def _expected_outcome_weights(histogram: ScoreHistogram) -> Floats:
    return np.asarray((histogram.probabilities * histogram.counts[:, None]).reshape(1, -1))


def _sampled_outcome_weights(histogram: ScoreHistogram, n_samples: int, rng: np.random.Generator) -> Floats:
    n_classes = histogram.probabilities.shape[1]
    n = np.ceil(histogram.counts).astype(np.int64)  # above the counts only where rows have unequal weights
    if n_classes == 2:
        first = rng.binomial(n, histogram.probabilities[:, 0], size=(n_samples, len(n)))
        outcomes = np.stack([first, n - first], axis=2)
    else:
        shares = histogram.probabilities / histogram.probabilities.sum(axis=1, keepdims=True)
        outcomes = rng.multinomial(n, shares, size=(n_samples, len(n)))
    scale = np.divide(histogram.counts, n, out=np.ones(len(n)), where=n > 0)
    return np.asarray((outcomes * scale[:, None]).reshape(n_samples, -1))


def _metric_values(predictions: LabeledPredictions, weights: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """Return each metric under each weighting, shape (n_weightings,)."""
    weighted = WeightedPredictions(predictions, weights)
    return {name: get_metric(name, setting="monitoring.metrics").function(weighted) for name in names}


def _percentile_interval(values: Floats, samples: Floats, confidence_level: float) -> MetricEstimate:
    value, defined = float(values[0]), samples[~np.isnan(samples)]
    if np.isnan(value):
        return MetricEstimate(None, reason="not defined on these rows")
    if len(defined) == 0:
        return MetricEstimate(value, reason="not defined for the drawn outcomes")
    tail = (1.0 - confidence_level) / 2
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return MetricEstimate(value, float(low), float(high))


def sufficient_estimates(estimated: Performance, *, min_rows: int) -> dict[str, MetricEstimate]:
    """Return the estimated metrics; without a value, and with the reason, if there are fewer than `min_rows` rows."""
    if estimated.n_rows >= min_rows:
        return dict(estimated.metrics)
    reason = f"{estimated.n_rows:,} of {min_rows:,} rows needed"
    return {name: MetricEstimate(None, reason=reason) for name in estimated.metrics}


def estimates_agree(estimated: Performance, realized: Performance, *, min_outcomes: int = 1) -> dict[str, bool]:
    """Return for each metric whether the intervals of the estimated and the realized value overlap.

    The result is empty when there are fewer than `min_outcomes` outcomes. Metrics without an interval are left out.
    """
    if realized.n_outcomes < min_outcomes:
        return {}
    agrees = {}
    for name, estimate in estimated.metrics.items():
        actual = realized.metrics.get(name, MetricEstimate(None))
        if estimate.low is None or estimate.high is None or actual.low is None or actual.high is None:
            continue
        agrees[name] = bool(estimate.low <= actual.high and actual.low <= estimate.high)
    return agrees


@dataclass(frozen=True, slots=True)
class Degradation:
    """One metric against its baseline; `worsening` is above 0 when the metric got worse, whatever its direction.

    `worsening_lower_bound` is the part of the worsening that chance does not explain.
    """

    metric: str
    baseline: float
    value: float | None
    worsening: float | None
    worsening_lower_bound: float | None
    threshold: float
    kind: Literal["relative", "absolute"]

    @property
    def verdict(self) -> Literal["ok", "watch", "degraded", "not_enough_data"]:
        """`degraded` when the worsening is significant and above the threshold, `watch` when above half of it."""
        if self.worsening is None or self.worsening_lower_bound is None:
            return "not_enough_data"
        interval = MetricEstimate(self.worsening, self.worsening_lower_bound, np.inf)
        is_significant = comparison_verdict(interval, higher_is_better=False) == "worse"
        if self.worsening > self.threshold and is_significant:
            return "degraded"
        return "watch" if is_significant and self.worsening > self.threshold / 2 else "ok"


def detect_degradation(
    performance: Performance,
    baseline: Mapping[str, float],
    *,
    threshold: float,
    kind: Literal["relative", "absolute"] = "relative",
    min_outcomes: int = 1,
) -> tuple[Degradation, ...]:
    """Compare each metric of `baseline` with the window; the worst metric comes first.

    Parameters
    ----------
    performance : Performance
    baseline : mapping of metric to value
    threshold : float
        Worsening that counts: a share of the baseline, or in the unit of the metric where `kind` is absolute.
    min_outcomes : int
        With fewer outcomes the verdict is `not_enough_data`: few rows show little of what happens.

    Raises
    ------
    UnknownOption
        When a name is no metric.
    """
    is_enough = performance.n_outcomes >= min_outcomes
    degradations = [
        degradation if is_enough else replace(degradation, worsening_lower_bound=None)
        for degradation in (
            _metric_degradation(name, value, performance, threshold=threshold, kind=kind)
            for name, value in baseline.items()
        )
    ]
    return tuple(sorted(degradations, key=lambda each: -(each.worsening if each.worsening is not None else -np.inf)))


def _metric_degradation(
    name: str,
    baseline: float,
    performance: Performance,
    *,
    threshold: float,
    kind: Literal["relative", "absolute"],
) -> Degradation:
    sign = 1.0 if METRICS[_canonical_metric_name(name)].higher_is_better else -1.0
    estimate = performance.metrics.get(_canonical_metric_name(name), MetricEstimate(None))
    better_end = estimate.high if sign > 0 else estimate.low
    scale = abs(baseline) if kind == "relative" and baseline != 0 else 1.0
    return Degradation(
        name,
        baseline,
        value=estimate.value,
        worsening=None if estimate.value is None else sign * (baseline - estimate.value) / scale,
        worsening_lower_bound=None if better_end is None else sign * (baseline - better_end) / scale,
        threshold=threshold,
        kind=kind,
    )


def _canonical_metric_name(name: str) -> str:
    """Return the name of a metric in `METRICS`, also for the names that scikit-learn uses."""
    canonical = {"f1_score": "f1_weighted", "auc": "roc_auc"}.get(name, name)
    return get_metric(canonical, setting="baseline_metrics").name
