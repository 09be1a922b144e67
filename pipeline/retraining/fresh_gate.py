"""Compare a retrained candidate with the champion, plain and recalibrated, on labels that none of them learned from.

A candidate that learned from noisy labels is less sure, and so beats the champion on equally noisy labels. A champion
that is recalibrated on the labels is less sure too, so only a change of the classes themselves beats it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics import METRICS, compare_paired, comparison_verdict
from pipeline.modeling.calibration import fit_calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.metrics import ComparisonVerdict, LabeledPredictions, MetricEstimate

__all__ = ["FreshComparison", "FreshVerdict", "Reading", "compare_on_fresh_labels", "recalibrate"]

FreshVerdict = Literal["pass", "needs_decision", "refused"]

_MIN_FRESH_ROWS = 30
_KINDS = ("sigmoid", "isotonic")


@dataclass(frozen=True, slots=True)
class Reading:
    """The candidate minus another model in one metric, with its interval, its verdict and the reason as text."""

    against: str
    verdict: ComparisonVerdict
    reason: str
    difference: MetricEstimate | None = None

    @property
    def is_better(self) -> bool:
        """Whether the candidate is significantly better."""
        return self.verdict == "better"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        difference = None if self.difference is None else self.difference.as_dict()
        return {"against": self.against, "verdict": self.verdict, "reason": self.reason, "difference": difference}


@dataclass(frozen=True, slots=True)
class FreshComparison:
    """The readings on fresh labels: against the champion, and against each of its recalibrations (none: left out)."""

    metric: str
    n_rows: int
    champion: Reading
    recalibrated: tuple[Reading, ...]

    @property
    def verdict(self) -> FreshVerdict:
        """`pass`: all are beaten; `needs_decision`: the champion alone; `refused`: not even the champion."""
        if not self.champion.is_better:
            return "refused"
        return "pass" if all(reading.is_better for reading in self.recalibrated) else "needs_decision"

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All readings."""
        return (self.champion, *self.recalibrated)

    @property
    def reason(self) -> str:
        """The readings in words."""
        return "; ".join(f"against the {reading.against}: {reading.reason}" for reading in self.readings)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.metric,
            "n_rows": self.n_rows,
            "verdict": self.verdict,
            "readings": [reading.as_dict() for reading in self.readings],
        }


def compare_on_fresh_labels(
    candidate: LabeledPredictions,
    champion: LabeledPredictions,
    *,
    recalibrated: Mapping[str, LabeledPredictions],
    metric: str,
    confidence_level: float,
) -> FreshComparison:
    """Compare the candidate with all witnesses on the same rows, by the interval of the paired difference.

    Parameters
    ----------
    candidate, champion : LabeledPredictions
        The fresh rows, scored by each.
    recalibrated : mapping of str to LabeledPredictions
        Kind of calibration -> the same, scored by the champion that was recalibrated so; empty without this witness.
    metric : str
    confidence_level : float between 0 and 1
    """

    def read(name: str, other: LabeledPredictions) -> Reading:
        return _read_against(name, candidate, other, metric=metric, confidence_level=confidence_level)

    witnesses = tuple(read(f"champion recalibrated by {kind}", rows) for kind, rows in recalibrated.items())
    return FreshComparison(metric, candidate.n_rows, read("champion", champion), witnesses)


def recalibrate(training: LabeledPredictions, fresh: LabeledPredictions) -> dict[str, LabeledPredictions]:
    """Return the fresh rows as the champion predicts them after its scores are calibrated on other labels.

    Platt's sigmoid has few coefficients, so few labels suffice. It cannot end above 0 and below 1, as the classes do
    under labels of which a share is wrong; the isotonic map can. With more than two classes each has its own maps.

    Parameters
    ----------
    training : LabeledPredictions
        The labeled rows that the candidate learned from, scored by the champion.
    fresh : LabeledPredictions
        The fresh rows, scored by the champion.

    Returns
    -------
    dict of str to LabeledPredictions
        By the kind of the map.

    Raises
    ------
    DataError
        When a class has no row among the training labels.
    """
    return {kind: _recalibrated(kind, training, fresh) for kind in _KINDS}


def _recalibrated(kind: str, training: LabeledPredictions, fresh: LabeledPredictions) -> LabeledPredictions:
    probabilities = fit_calibration(kind, training.probabilities, training.y).apply(fresh.probabilities)
    predicted = np.asarray(probabilities.argmax(axis=1), dtype=np.int64)
    return replace(fresh, probabilities=probabilities, predicted=predicted)


def _read_against(
    name: str, candidate: LabeledPredictions, other: LabeledPredictions, *, metric: str, confidence_level: float
) -> Reading:
    if candidate.n_rows < _MIN_FRESH_ROWS:
        reason = f"{candidate.n_rows} fresh labels; expected at least {_MIN_FRESH_ROWS}"
        return Reading(name, "not compared", reason)
    try:
        estimate = compare_paired(candidate, other, [metric], confidence_level=confidence_level)[metric]
    except DataError as error:
        return Reading(name, "not compared", str(error))
    verdict = comparison_verdict(estimate, higher_is_better=METRICS[metric].higher_is_better)
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return Reading(name, verdict, f"{metric}: {estimate.reason}", estimate)
    interval = f"{metric} {estimate.value:+.4g}, from {estimate.low:+.4g} to {estimate.high:+.4g}"
    return Reading(name, verdict, f"{verdict}: {interval} on {candidate.n_rows:,} fresh labels", estimate)
