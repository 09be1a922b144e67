"""Decide a trial from its comparison: won, lost, undecided, or open and how many more outcomes it needs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline.metrics.metric_labels import metric_label
from pipeline.state import DAY_US
from pipeline.text import pluralize
from pipeline.trials.confidence_sequence import MeanInterval, SampleMoments, mean_interval, mixture_radius

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import TrialConfig
    from pipeline.trials.trial_comparison import Comparison

__all__ = ["TrialVerdict", "trial_verdict"]

_MAX_UNITS = 1 << 24


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """The verdict about a challenger.

    Attributes
    ----------
    verdict : "open", "won", "lost" or "undecided"
        `lost`: significantly worse; `undecided`: neither before the trial ended.
    metric : str
    gain : float or None
        Mean loss of the champion minus that of the challenger for each prediction; above 0 the challenger is better.
        None without outcomes.
    lower, upper : float or None
        Confidence sequence of the gain; None with fewer than two units.
    alpha : float
        Chance of a false decision of this trial.
    n_challengers : int
        Number of challengers that shared `alpha` of the settings.
    n_outcomes, n_units : int
    n_more_outcomes : int or None
        Estimate of how many more outcomes decide it at the gain so far; None where no number does.
    disagreement : float
        Share of rows with another predicted class.
    needs_person : bool
        Whether a person decides about a win, because the two disagree too often.
    until_outcome : int
        Number of the last outcome that was read.
    compared_at : int
        In microseconds since 1970, UTC.
    """

    verdict: Literal["open", "won", "lost", "undecided"]
    metric: str
    gain: float | None
    lower: float | None
    upper: float | None
    alpha: float
    n_challengers: int
    n_outcomes: int
    n_units: int
    n_more_outcomes: int | None
    disagreement: float
    needs_person: bool
    until_outcome: int
    compared_at: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @property
    def summary(self) -> str:
        """The comparison in one clause, and how many more outcomes an open trial needs."""
        label = metric_label(self.metric)
        label = label[0].lower() + label[1:]
        outcomes = f"{pluralize(self.n_outcomes, 'outcome')} in {pluralize(self.n_units, 'unit')}"
        if self.gain is None or self.lower is None or self.upper is None:
            return f"{outcomes}: too few to compare the {label}; `mlops feedback` or `POST /feedback` sends outcomes"
        interval = f"{label} gain {self.gain:+.4g} ({self.lower:+.4g} to {self.upper:+.4g}), {outcomes}"
        if self.verdict != "open":
            return interval
        if self.n_more_outcomes is None:
            return f"{interval}; no number of outcomes decides a gain this small"
        return f"{interval}; about {self.n_more_outcomes:,} more outcomes decide it at this gain"


def trial_verdict(
    comparison: Comparison, settings: TrialConfig, *, opened_at: int, n_challengers: int = 1
) -> TrialVerdict:
    """Return the verdict of a comparison; it may be asked for at any time and any number of times.

    Parameters
    ----------
    comparison : Comparison
    settings : TrialConfig
    opened_at : int
        When the trial was opened, in microseconds since 1970, UTC.
    n_challengers : int
        Number of challengers that are compared with this champion; they share `alpha`.
    """
    alpha = settings.alpha / n_challengers
    margin = settings.margin if settings.test == "non_inferiority" else 0.0
    sample = _unit_moments(comparison, settings.unit, margin=margin)
    interval = mean_interval(sample, alpha=alpha, target=settings.target_units)
    has_enough = comparison.n_outcomes >= settings.min_outcomes and sample.n >= settings.min_units
    verdict = _decide(interval, has_enough=has_enough)
    if verdict == "open" and comparison.compared_at - opened_at >= settings.max_days * DAY_US:
        verdict = "undecided"
    weight = float(comparison.weights.sum())
    to_gain = sample.n / weight if weight and sample.n > 1 else None
    gain, lower, upper = (
        None if to_gain is None else value * to_gain - margin
        for value in (interval.mean, interval.lower, interval.upper)
    )
    return TrialVerdict(
        verdict=verdict,
        metric=comparison.metric,
        gain=gain,
        lower=lower,
        upper=upper,
        alpha=alpha,
        n_challengers=n_challengers,
        n_outcomes=comparison.n_outcomes,
        n_units=sample.n,
        n_more_outcomes=_n_more_outcomes(comparison, settings, sample=sample, alpha=alpha),
        disagreement=comparison.disagreement,
        needs_person=comparison.disagreement > settings.max_disagreement,
        until_outcome=comparison.until_outcome,
        compared_at=comparison.compared_at,
    )


def _unit_moments(comparison: Comparison, unit: str, *, margin: float) -> SampleMoments:
    """Return the moments of the units; a value is the difference of its rows, raised by the margin for each."""
    if unit == "hour":
        return SampleMoments.of_values(comparison.sums + margin * comparison.weights)
    sample = SampleMoments.of_sums(
        comparison.n_outcomes, total=float(comparison.sums.sum()), squares=float(comparison.squares.sum())
    )
    weight = float(comparison.weights.sum()) / max(comparison.n_outcomes, 1)
    return replace(sample, mean=sample.mean + margin * weight)


def _decide(interval: MeanInterval, *, has_enough: bool) -> Literal["open", "won", "lost", "undecided"]:
    if has_enough and interval.lower > 0:
        return "won"
    return "lost" if has_enough and interval.upper < 0 else "open"


def _n_more_outcomes(
    comparison: Comparison, settings: TrialConfig, *, sample: SampleMoments, alpha: float
) -> int | None:
    """Return how many more outcomes decide a trial whose gain and spread stay as they are."""
    if sample.n < 2 or sample.mean == 0:
        return None
    n_units = max(sample.n, settings.min_units)
    while abs(sample.mean) <= mixture_radius(
        n_units, deviation=sample.deviation, alpha=alpha, target=settings.target_units
    ):
        n_units = n_units + max(n_units // 64, 1)
        if n_units > _MAX_UNITS:
            return None
    rows_per_unit = comparison.n_outcomes / sample.n
    return max(math.ceil((n_units - sample.n) * rows_per_unit), settings.min_outcomes - comparison.n_outcomes, 0)
