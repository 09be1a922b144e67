"""Compare metrics of the test rows with their limits: a limit fails beyond what chance explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pipeline.gates.gate_report import Gate
from pipeline.metrics import METRICS, MetricEstimate, comparison_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.metrics import Metric

__all__ = ["describe_unevaluated", "limit_result", "metric_limit_gate"]


def limit_result(metric: Metric, estimate: MetricEstimate, threshold: float) -> Literal["pass", "hold", "fail"]:
    """Return whether a metric keeps its limit, and fail only what chance alone does not explain.

    A metric fails when its whole interval lies on the worse side of the limit. A calibration error fails when its
    interval excludes 0 and its estimate is above the limit: chance gives an error, but none whose interval excludes
    0. Without an interval, nothing shows that a value beyond the limit is more than chance: the gate holds.
    """
    if estimate.low is None:
        is_beyond = estimate.value is not None and metric.is_better(threshold, estimate.value)
        return "hold" if is_beyond else "pass"
    if metric.name == "ece":
        return "fail" if estimate.low > 0.0 and (estimate.value or 0.0) > threshold else "pass"
    verdict = comparison_verdict(estimate.minus(threshold), higher_is_better=metric.higher_is_better)
    return "fail" if verdict == "worse" else "pass"


def metric_limit_gate(name: str, threshold: float, values: Mapping[str, Any] | None) -> Gate:
    """Return the gate of one limit; `values` is the evaluated metric, None where it was not evaluated."""
    metric = METRICS[name]
    if values is None or values["value"] is None:
        return Gate(f"limit {name}", "fail", describe_unevaluated(name), threshold=threshold)
    estimate = MetricEstimate.from_dict(values)
    interval = f"no interval: {estimate.reason}"
    if estimate.low is not None:
        interval = f"from {estimate.low:.4g} to {estimate.high:.4g}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    result = limit_result(metric, estimate, threshold)
    is_beyond = estimate.value is not None and metric.is_better(threshold, estimate.value)
    finding = f"not shown to be {side} {threshold:.4g}: " if is_beyond and result != "fail" else ""
    return Gate(
        name=f"limit {name}",
        result=result,
        reason=f"{finding}{estimate.value:.4g}, {interval}",
        value=_deciding_value(metric, estimate),
        threshold=threshold,
        fails_when=side,
        unit=metric.unit,
    )


def _deciding_value(metric: Metric, estimate: MetricEstimate) -> float | None:
    """Return the number that `limit_result` compares with the limit."""
    if estimate.low is None:
        return estimate.value
    if metric.name == "ece":
        return estimate.value if estimate.low > 0.0 else estimate.low
    return estimate.high if metric.higher_is_better else estimate.low


def describe_unevaluated(name: str) -> str:
    """Return why a metric of the settings has no value, and what to do."""
    return f"{name} is not evaluated; add it to evaluation.metrics"
