"""Estimate the calibration error without its bias, with an interval.

The mean distance of predicted probability and observed share in bins is above 0 by chance alone, also for a
perfectly calibrated model. The estimate is therefore the true distance under which the observed one would be the
median, and the ends of the interval are those under which it would be a tail quantile. The bins' deviations are
taken as normal around multiples of the observed ones, so one number is inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipeline.metrics.metric_estimate import MetricEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import WeightedPredictions

    Floats = NDArray[np.float64]

__all__ = ["estimate_calibration_error"]

_N_DRAWS = 1000
_N_HALVINGS = 20


def estimate_calibration_error(rows: WeightedPredictions, *, confidence_level: float) -> MetricEstimate:
    """Return the calibration error with its interval; an interval above 0 shows that calibration is not perfect."""
    deviations = _bin_deviations(rows)
    if not deviations.scales.any():
        return MetricEstimate(deviations.observed, reason="all probabilities are certain and right")
    tail = (1.0 - confidence_level) / 2.0
    # No error is greater than 1: where every row is certain and wrong, noise would carry the bounds beyond.
    low, value, high = (min(deviations.error_at(quantile), 1.0) for quantile in (tail, 0.5, 1.0 - tail))
    return MetricEstimate(value, low, high)


@dataclass(frozen=True, slots=True)
class _BinDeviations:
    """Mean of probability minus truth in each bin, as a share of all rows, and its standard deviation."""

    means: Floats
    scales: Floats

    @property
    def observed(self) -> float:
        return float(np.abs(self.means).sum())

    def error_at(self, quantile: float) -> float:
        """Return the true error under which a share `quantile` of samples lies at or above the observed error."""
        if not self.scales.any():
            return self.observed
        direction = self.means if self.observed > 0.0 else self.scales
        if self._share_above(0.0 * direction) >= quantile:
            return 0.0
        low, high = 0.0, 1.0
        while self._share_above(high * direction) < quantile:
            low, high = high, high * 2.0
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2.0
            if self._share_above(middle * direction) < quantile:
                low = middle
            else:
                high = middle
        return float(np.abs(direction).sum()) * (low + high) / 2.0

    def _share_above(self, true_means: Floats) -> float:
        errors = np.abs(true_means + self.scales * _normal_draws(len(self.means))).sum(axis=1)
        return float((errors >= self.observed).mean())


@cache
def _normal_draws(n_bins: int) -> Floats:
    return np.random.default_rng(0).standard_normal((_N_DRAWS, n_bins))


def _bin_deviations(rows: WeightedPredictions) -> _BinDeviations:
    """Return the deviations of the first weighting; variances are the greater of observed and expected ones."""
    probability, is_true = rows.scored.confidence_and_correctness
    in_bins, weights, total = rows.scored.bin_membership, rows.weights[0], rows.total_weight[0]
    residuals = probability - is_true
    seen = (weights * np.square(residuals)) @ in_bins
    expected = (weights * probability * (1.0 - probability)) @ in_bins
    return _BinDeviations((weights * residuals) @ in_bins / total, np.sqrt(np.maximum(seen, expected)) / total)
