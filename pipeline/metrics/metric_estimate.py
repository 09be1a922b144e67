"""Hold a metric, or a difference of metrics, with its interval, and decide from it what is better or worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = [
    "CALIBRATION_DIFFERENCE",
    "TOO_FEW_DIFFERENT_ROWS",
    "ComparisonVerdict",
    "MetricEstimate",
    "comparison_verdict",
    "round_significant",
]

_SIGNIFICANT_DIGITS = 10

TOO_FEW_DIFFERENT_ROWS = "too few rows distinguish the two models"
CALIBRATION_DIFFERENCE = "the difference of two calibration errors has no known distribution"

ComparisonVerdict = Literal["better", "worse", "equal", "no significant difference", "not compared"]


def round_significant(value: float | np.floating[Any] | None) -> float | None:
    """Round `value` to 10 significant digits, so that summation order has no effect; None for NaN and None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.{_SIGNIFICANT_DIGITS}g}")


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A metric and its interval.

    `value` is None where the metric is not defined; `low` and `high` are None where there is no interval, and
    `reason` is then the reason.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MetricEstimate:
        """Return the estimate whose `as_dict` is `values`; other keys are left out."""
        return cls(values["value"], values["low"], values["high"], values.get("reason"))

    def minus(self, reference: float) -> MetricEstimate:
        """Return the difference to a number that is taken as known."""
        value, low, high = (None if end is None else end - reference for end in (self.value, self.low, self.high))
        return MetricEstimate(value, low, high, self.reason)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 10 significant digits."""
        return {
            "value": round_significant(self.value),
            "low": round_significant(self.low),
            "high": round_significant(self.high),
            "reason": self.reason,
        }


def comparison_verdict(
    difference: MetricEstimate | None, *, higher_is_better: bool, margin: float = 0.0
) -> ComparisonVerdict:
    """Return the verdict of the interval of a difference; every comparison of the project is decided here.

    Parameters
    ----------
    difference : MetricEstimate or None
        New minus old, or the metric minus the value that it is compared with; None when it was not computed.
    higher_is_better : bool
    margin : float
        Worsening that is tolerated: the interval is compared with a difference this much worse than 0.

    Returns
    -------
    str
        `better` or `worse` when the whole interval lies on that side, `equal` when it is the point 0,
        `no significant difference` when it holds 0 or too few rows distinguish two models, `not compared` without an
        interval for another reason.
    """
    if difference is None or difference.low is None or difference.high is None:
        too_few = difference is not None and difference.reason == TOO_FEW_DIFFERENT_ROWS
        return "no significant difference" if too_few else "not compared"
    low, high = difference.low, difference.high
    if low == high == margin == 0.0:
        return "equal"
    worst, best = (low, high) if higher_is_better else (-high, -low)
    if worst > -margin:
        return "better"
    return "worse" if best < -margin else "no significant difference"
