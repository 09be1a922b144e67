"""Say how well a model does in a window: from outcomes, and before they arrive from its own probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.metrics import METRICS, MetricEstimate, get_metric
from pipeline.metrics.labeled_predictions import LabeledPredictions, WeightedPredictions
from pipeline.monitoring.performance.score_histogram import ScoreHistogram, coarsen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "ESTIMABLE_METRICS",
    "Degradation",
    "Performance",
    "calculate_realized_performance",
    "detect_degradation",
    "estimate_performance",
    "estimates_agree",
]

# Figures that calibrated probabilities settle by themselves; the calibration error would always come out as none.
ESTIMABLE_METRICS = ("accuracy", "f1_weighted", "precision", "recall", "roc_auc", "pr_auc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of a window with their intervals.

    `is_expected` says that no outcome was looked at; `n_rows` predictions of which `n_outcomes` have one.
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
            "is_expected": self.is_estimated,
            "n_rows": self.n_rows,
            "n_outcomes": self.n_outcomes,
            "coverage": self.coverage,
            "figures": {name: one.as_dict() for name, one in self.metrics.items()},
        }


def estimate_performance(
    histogram: ScoreHistogram,
    names: Sequence[str] = ESTIMABLE_METRICS,
    *,
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> Performance:
    """Return the figures to be expected if probabilities hold: of ten rows said to be 0.9, nine are.

    Parameters
    ----------
    cells : Cells
    names : sequence of str
        Members of `METRICS`.
    confidence : float between 0 and 1
        Level of the band in which the realised figure falls by the luck of outcomes alone.
    draws : int
        How often outcomes are drawn for the band.
    seed : int

    Notes
    -----
    Cannot see that the same features now mean another outcome (concept drift), and is off by as much as the
    probabilities are. The figure is that of the expected confusion counts, as confidence-based performance
    estimation has it.
    """
    if histogram.n_rows == 0:
        return Performance({name: MetricEstimate(None, None, None) for name in names}, 0, 0, is_estimated=True)
    coarse, rng = coarsen(histogram), np.random.default_rng(seed)
    fine, middle = (
        _metric_values(one.to_labeled_predictions(), _expected_outcome_weights(one), names)
        for one in (histogram, coarse)
    )
    drawn = _metric_values(coarse.to_labeled_predictions(), _sampled_outcome_weights(coarse, n_resamples, rng), names)
    # The band of fewer cells is as wide, and lies where their figure lies: it is moved to the figure of all.
    figures = {
        name: _percentile_interval(fine[name], drawn[name] - middle[name] + fine[name], confidence_level)
        for name in names
    }
    return Performance(figures, histogram.n_rows, 0, is_estimated=True)


def calculate_realized_performance(
    histogram: ScoreHistogram,
    names: Sequence[str],
    *,
    n_rows: int,
    confidence_level: float,
    n_resamples: int,
    seed: int,
) -> Performance:
    """Return the figures of the rows whose outcomes are known, with intervals of the bootstrap over rows.

    Parameters
    ----------
    cells : Cells
        With `outcomes`.
    names : sequence of str
        Members of `METRICS`.
    n_rows : int
        All predictions of the window, with and without an outcome.
    confidence, draws, seed
        As for `expected_performance`.
    """
    if histogram.outcome_counts is None or histogram.outcome_counts.sum() == 0:
        return Performance({name: MetricEstimate(None, None, None) for name in names}, n_rows, 0, is_estimated=False)
    value = _metric_values(
        histogram.to_labeled_predictions(), histogram.outcome_counts.reshape(1, -1).astype(np.float64), names
    )
    # How much luck moves a figure is told well enough by few cells; where it lies, by all of them.
    few = coarsen(histogram)
    flat = np.asarray(few.outcome_counts).reshape(-1)
    total = round(float(flat.sum()))
    drawn = np.random.default_rng(seed).multinomial(total, flat / flat.sum(), size=n_resamples)
    spread = _metric_values(
        few.to_labeled_predictions(), np.concatenate([flat[None, :], drawn]).astype(np.float64), names
    )
    figures = {
        name: _percentile_interval(value[name], spread[name][1:] + (value[name][0] - spread[name][0]), confidence_level)
        for name in names
    }
    return Performance(figures, n_rows, total, is_estimated=False)


def _expected_outcome_weights(cells: ScoreHistogram) -> Floats:
    return np.asarray((cells.probabilities * cells.counts[:, None]).reshape(1, -1))


def _sampled_outcome_weights(cells: ScoreHistogram, draws: int, rng: np.random.Generator) -> Floats:
    n_classes = cells.probabilities.shape[1]
    n = np.ceil(cells.counts).astype(np.int64)  # more than the counts only where rows weigh differently
    if n_classes == 2:
        first = rng.binomial(n, cells.probabilities[:, 0], size=(draws, len(n)))
        drawn = np.stack([first, n - first], axis=2)
    else:
        shares = cells.probabilities / cells.probabilities.sum(axis=1, keepdims=True)
        drawn = rng.multinomial(n, shares, size=(draws, len(n)))
    scale = np.divide(cells.counts, n, out=np.ones(len(n)), where=n > 0)
    return np.asarray((drawn * scale[:, None]).reshape(draws, -1))


def _metric_values(scored: LabeledPredictions, weights: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """Return each figure under each weighting, shape (n_weightings,)."""
    rows = WeightedPredictions(scored, weights)
    return {name: get_metric(name, setting="monitoring.metrics").function(rows) for name in names}


def _percentile_interval(value: Floats, drawn: Floats, confidence: float) -> MetricEstimate:
    figure, defined = float(value[0]), drawn[~np.isnan(drawn)]
    if np.isnan(figure):
        return MetricEstimate(None, None, None)
    if len(defined) == 0:
        return MetricEstimate(figure, None, None)
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return MetricEstimate(figure, float(low), float(high))


def estimates_agree(estimated: Performance, realized: Performance, *, min_outcomes: int = 1) -> dict[str, bool]:
    """Return for each figure whether what was expected agrees with what came true: their intervals overlap.

    A figure of fewer than `min_outcomes` outcomes is not judged and left out.
    """
    if realized.n_outcomes < min_outcomes:
        return {}
    said = {}
    for name, one in estimated.metrics.items():
        other = realized.metrics.get(name)
        if other is None or None in (one.low, one.high, other.low, other.high):
            continue
        said[name] = bool(one.low <= other.high and other.low <= one.high)  # type: ignore[operator] # None is ruled out above
    return said


@dataclass(frozen=True, slots=True)
class Degradation:
    """One figure against its baseline; `worsening` is above 0 when it got worse, whatever its direction.

    `at_least` is the part of it that is beyond chance. `verdict` is `degraded` when the worsening is above
    the limit and beyond chance, `watch` when only one of the two holds for more than half of the limit.
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
        """What to make of it."""
        if self.worsening is None or self.worsening_lower_bound is None:
            return "not_enough_data"
        is_beyond_chance = self.worsening_lower_bound > 0
        if self.worsening > self.threshold and is_beyond_chance:
            return "degraded"
        return "watch" if is_beyond_chance and self.worsening > self.threshold / 2 else "ok"


def detect_degradation(
    performance: Performance,
    baseline: Mapping[str, float],
    *,
    threshold: float,
    kind: Literal["relative", "absolute"] = "relative",
    min_outcomes: int = 1,
) -> tuple[Degradation, ...]:
    """Return how each figure of `baseline` compares with the window, the worst first.

    Parameters
    ----------
    performance : Performance
    baseline : mapping of metric to figure
    limit : float
        Worsening that counts: a share of the baseline, or in the unit of the metric where `kind` is absolute.
    min_outcomes : int
        With fewer there is not enough data: few rows that are alike leave the bootstrap no luck to tell of.

    Raises
    ------
    UnknownKind
        When a name is no metric.
    """
    is_enough = performance.n_outcomes >= min_outcomes
    found = [
        one if is_enough else replace(one, worsening_lower_bound=None)
        for one in (_metric_degradation(name, value, performance, threshold, kind) for name, value in baseline.items())
    ]
    return tuple(sorted(found, key=lambda one: -(one.worsening if one.worsening is not None else -np.inf)))


def _metric_degradation(
    name: str, baseline: float, performance: Performance, limit: float, kind: Literal["relative", "absolute"]
) -> Degradation:
    sign = 1.0 if METRICS[_canonical_metric_name(name)].higher_is_better else -1.0
    one = performance.metrics.get(_canonical_metric_name(name), MetricEstimate(None, None, None))
    better_end = one.high if sign > 0 else one.low
    scale = abs(baseline) if kind == "relative" and baseline != 0 else 1.0
    worsening = None if one.value is None else sign * (baseline - one.value) / scale
    at_least = None if better_end is None else sign * (baseline - better_end) / scale
    return Degradation(name, baseline, one.value, worsening, at_least, limit, kind)


def _canonical_metric_name(name: str) -> str:
    """Return the metric that a name means, also under the names that scikit-learn gives to some."""
    word = {"f1_score": "f1_weighted", "auc": "roc_auc"}.get(name, name)
    return get_metric(word, setting="baseline_metrics").name
