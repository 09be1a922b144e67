"""The gain of a challenger with its interval after each unit, as it was known at that time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.groups.lifecycle_config import TrialConfig
from pipeline.trials.confidence_sequence import SampleMoments, mean_interval

if TYPE_CHECKING:
    from pipeline.state import Trial
    from pipeline.trials.trial_comparison import Comparison

__all__ = ["GainPoint", "gain_band"]

_MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class GainPoint:
    """The mean gain of a prediction after some outcomes, with its confidence sequence."""

    n_outcomes: int
    n_units: int
    gain: float
    lower: float
    upper: float


def gain_band(comparison: Comparison, trial: Trial, *, alpha: float) -> tuple[GainPoint, ...]:
    """Return the gain after each hour from the second one, thinned to 200 points; the last hour is always there.

    Parameters
    ----------
    comparison : Comparison
    trial : Trial
        Its settings name the unit and the number of units at which the interval is narrowest.
    alpha : float
        Chance of a false decision, as in the verdict.
    """
    settings = TrialConfig.model_validate(trial.settings["trial"])
    n_hours = len(comparison.sums)
    if n_hours < 2 or comparison.weights.sum() <= 0:
        return ()
    positions = sorted(set(np.linspace(2, n_hours, min(_MAX_POINTS, n_hours)).astype(int).tolist()))
    # Corrections may withdraw all outcomes so far, which leaves nothing to divide by.
    known = (n for n in positions if comparison.weights[:n].sum() > 0)
    return tuple(_gain_point(comparison, settings, n, alpha=alpha) for n in known)


def _gain_point(comparison: Comparison, settings: TrialConfig, n_hours: int, *, alpha: float) -> GainPoint:
    """Return the gain after the first hours."""
    sums, weight = comparison.sums[:n_hours], float(comparison.weights[:n_hours].sum())
    n_outcomes = round(comparison.n_outcomes * weight / float(comparison.weights.sum()))
    if settings.unit == "hour":
        sample = SampleMoments.of_values(sums)
    else:
        squares = float(comparison.squares[:n_hours].sum())
        sample = SampleMoments.of_sums(n_outcomes, total=float(sums.sum()), squares=squares)
    interval = mean_interval(sample, alpha=alpha, target=settings.target_units)
    to_gain = sample.n / weight
    return GainPoint(n_outcomes, sample.n, interval.mean * to_gain, interval.lower * to_gain, interval.upper * to_gain)
