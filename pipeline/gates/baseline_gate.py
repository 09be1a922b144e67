"""Compare a candidate with a baseline on the same test rows: better, or not significantly worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.gate_report import Gate
from pipeline.gates.metric_limits import describe_unevaluated
from pipeline.metrics import MetricEstimate, comparison_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.metrics import Metric

__all__ = ["baseline_gate", "describe_difference"]


def baseline_gate(baseline: str, differences: Mapping[str, Any], *, metric: Metric, required: str) -> Gate:
    """Return the gate of one baseline.

    `better` passes if the estimate is better. `not_worse` fails only if the interval of the difference lies on the
    worse side of 0, `significantly_better` passes only if it lies on the better side. A better estimate also passes
    the latter if the AUC is significantly above the baseline's. Where one class is rare, the log loss of a few rows
    decides nothing, and their ranking shows that the model has skill.

    Parameters
    ----------
    baseline : str
    differences : mapping
        Candidate minus baseline by metric, as `reports/evaluation.json` holds them.
    metric : Metric
        The metric that decides.
    required : {"significantly_better", "better", "not_worse"}
    """
    name = f"{'not worse' if required == 'not_worse' else 'better'} than {baseline}"
    values = differences.get(metric.name)
    if values is None or values["value"] is None:
        return Gate(name, "fail", describe_unevaluated(metric.name))
    estimate = MetricEstimate.from_dict(values)
    if required == "significantly_better" and estimate.low is None:
        reason = f"{metric.name} differs by {estimate.value:+.4g}, not shown to be better: {estimate.reason}"
        return Gate(name, "hold", reason)
    ranking = _ranking_difference(differences)
    verdict = comparison_verdict(estimate, higher_is_better=metric.higher_is_better)
    ranks_better = comparison_verdict(ranking, higher_is_better=True) == "better"
    is_decided_by_estimate = required != "significantly_better" or (ranks_better and verdict != "better")
    reason = f"{verdict}: {describe_difference(metric.name, estimate)}"
    if ranks_better and verdict != "better" and ranking is not None:
        reason = f"{reason}; rows are ranked better: {describe_difference('roc_auc', ranking)}"
    value = estimate.value if is_decided_by_estimate else _worse_end(metric, estimate)
    is_better = value is not None and metric.is_better(value, 0.0)
    passes = verdict != "worse" if required == "not_worse" else is_better
    if required == "not_worse":
        value = _better_end(metric, estimate)
    return Gate(
        name=name,
        result="pass" if passes else "fail",
        reason=reason,
        value=value,
        threshold=0.0,
        fails_when="below" if metric.higher_is_better else "above",
        unit=metric.unit,
    )


def _ranking_difference(differences: Mapping[str, Any]) -> MetricEstimate | None:
    values = differences.get("roc_auc")
    return None if values is None else MetricEstimate.from_dict(values)


def _worse_end(metric: Metric, estimate: MetricEstimate) -> float | None:
    return estimate.low if metric.higher_is_better else estimate.high


def _better_end(metric: Metric, estimate: MetricEstimate) -> float | None:
    return estimate.high if metric.higher_is_better else estimate.low


def describe_difference(name: str, estimate: MetricEstimate) -> str:
    """Return a difference with its interval, or with the reason why it has none."""
    if estimate.low is None or estimate.high is None:
        return f"{name} differs by {estimate.value:+.4g}; {estimate.reason}"
    return f"{name} differs by {estimate.value:+.4g}, from {estimate.low:+.4g} to {estimate.high:+.4g}"
