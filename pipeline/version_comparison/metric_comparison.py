"""Compare one metric of two versions: both values, their difference with its interval, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.metrics import METRICS, MetricEstimate, comparison_verdict
from pipeline.metrics.metric_labels import label_metrics
from pipeline.text import number

if TYPE_CHECKING:
    from pipeline.metrics import ComparisonVerdict

__all__ = ["MetricComparison", "unpaired_difference"]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric of two versions on test rows.

    Attributes
    ----------
    name : str
        A member of `METRICS`.
    first, second : MetricEstimate
    difference : MetricEstimate
        Second minus first.
    is_paired : bool
        Whether both are of the same rows.
    """

    name: str
    first: MetricEstimate
    second: MetricEstimate
    difference: MetricEstimate
    is_paired: bool

    @property
    def higher_is_better(self) -> bool:
        """The direction of the metric."""
        return METRICS[self.name].higher_is_better

    @property
    def verdict(self) -> ComparisonVerdict:
        """Whether the second is `better` or `worse`; `no significant difference`, `equal` or `not compared`."""
        return comparison_verdict(self.difference, higher_is_better=self.higher_is_better)

    @property
    def sentence(self) -> str:
        """The difference with its interval, such as `log loss +0.0152 (interval +0.0092 to +0.0213)`."""
        name, value = label_metrics(self.name), number(self.difference.value, signed=True)
        if self.difference.low is None or self.difference.high is None:
            return f"{name} {value} ({self.difference.reason})"
        ends = (number(end, signed=True) for end in (self.difference.low, self.difference.high))
        return f"{name} {value} (interval {' to '.join(ends)})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.name,
            "first": self.first.as_dict(),
            "second": self.second.as_dict(),
            "difference": self.difference.as_dict(),
            "is_paired": self.is_paired,
            "verdict": self.verdict,
        }


def unpaired_difference(first: MetricEstimate, second: MetricEstimate) -> MetricEstimate:
    """Return second minus first, of estimates from different rows.

    The interval recovers the variances from those of both estimates (Zou and Donner 2008, "Construction of confidence
    limits about effect measures"). It holds for independent rows, and is too wide for rows that overlap.

    Examples
    --------
    >>> unpaired_difference(MetricEstimate(0.50, 0.47, 0.53), MetricEstimate(0.60, 0.56, 0.64))
    MetricEstimate(value=0.1, low=0.05, high=0.15, reason=None)
    """
    if first.value is None or second.value is None:
        return MetricEstimate(None, reason="not defined for both versions")
    difference = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return MetricEstimate(difference, reason=second.reason or first.reason or "one of the two has no interval")
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    return MetricEstimate(round(difference, 12), round(difference - below, 12), round(difference + above, 12))
