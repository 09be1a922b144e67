"""The gate of a metric limit: result, number and words agree."""

from __future__ import annotations

import pytest

from pipeline.gates.metric_limits import limit_result, metric_limit_gate
from pipeline.metrics import METRICS, MetricEstimate

CASES = [
    ("ece", MetricEstimate(0.02, 0.005, 0.04), 0.01, "fail"),
    ("ece", MetricEstimate(0.02, 0.0, 0.04), 0.01, "pass"),  # chance explains it
    ("ece", MetricEstimate(0.008, 0.002, 0.02), 0.01, "pass"),
    ("log_loss", MetricEstimate(0.4, 0.35, 0.45), 0.3, "fail"),
    ("log_loss", MetricEstimate(0.32, 0.28, 0.36), 0.3, "pass"),
    ("roc_auc", MetricEstimate(0.7, 0.65, 0.75), 0.8, "fail"),
    ("roc_auc", MetricEstimate(0.78, 0.74, 0.82), 0.8, "pass"),
    ("roc_auc", MetricEstimate(0.7, None, None, "the rows do not vary"), 0.8, "hold"),
    ("ece", MetricEstimate(0.08, None, None, "the rarest class has 8 rows"), 0.01, "hold"),
    ("ece", MetricEstimate(0.004, None, None, "the rarest class has 8 rows"), 0.01, "pass"),
]


@pytest.mark.parametrize(("metric", "estimate", "threshold", "result"), CASES)
def test_a_limit_fails_beyond_chance_alone(
    metric: str, estimate: MetricEstimate, threshold: float, result: str
) -> None:
    assert limit_result(METRICS[metric], estimate, threshold) == result


@pytest.mark.parametrize(("metric", "estimate", "threshold", "result"), CASES)
def test_the_number_of_a_limit_is_beyond_it_unless_the_gate_passes(
    metric: str, estimate: MetricEstimate, threshold: float, result: str
) -> None:
    gate = metric_limit_gate(metric, threshold, estimate.as_dict())
    assert gate.value is not None
    assert METRICS[metric].is_better(threshold, gate.value) is (result != "pass")


@pytest.mark.parametrize(
    ("metric", "estimate", "threshold", "reason"),
    [
        ("ece", MetricEstimate(0.084, 0.0, 0.19), 0.01, "not shown to be above 0.01: 0.084, from 0 to 0.19"),
        ("roc_auc", MetricEstimate(0.78, 0.74, 0.82), 0.8, "not shown to be below 0.8: 0.78, from 0.74 to 0.82"),
        ("ece", MetricEstimate(0.02, 0.005, 0.04), 0.01, "0.02, from 0.005 to 0.04"),
        (
            "ece",
            MetricEstimate(0.08, None, None, "few rows"),
            0.01,
            "not shown to be above 0.01: 0.08, no interval: few rows",
        ),
    ],
)
def test_a_value_beyond_a_limit_that_chance_explains_has_words_for_it(
    metric: str, estimate: MetricEstimate, threshold: float, reason: str
) -> None:
    assert metric_limit_gate(metric, threshold, estimate.as_dict()).reason == reason
