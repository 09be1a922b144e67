"""A metric of two versions has a verdict by the interval of its difference, on the same rows or on different ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.metrics import MetricEstimate, wilson_interval
from pipeline.version_comparison import MetricComparison, unpaired_difference


def metric(name: str, difference: MetricEstimate) -> MetricComparison:
    return MetricComparison(name, MetricEstimate(0.5), MetricEstimate(0.6), difference, is_paired=True)


@pytest.mark.parametrize(("name", "verdict"), [("log_loss", "worse"), ("accuracy", "better")])
def test_the_direction_of_the_metric_decides(name: str, verdict: str) -> None:
    assert metric(name, MetricEstimate(0.1, 0.05, 0.15)).verdict == verdict


def test_the_sentence_has_the_difference_and_its_interval() -> None:
    assert (
        metric("log_loss", MetricEstimate(0.1, 0.05, 0.15)).sentence == "log loss +0.1000 (interval +0.0500 to +0.1500)"
    )
    assert metric("roc_auc", MetricEstimate(-0.1, reason="too few rows")).sentence == "ROC AUC -0.1000 (too few rows)"


def test_an_unpaired_interval_recovers_the_variances_of_both_estimates() -> None:
    first, second = MetricEstimate(0.50, 0.48, 0.53), MetricEstimate(0.60, 0.56, 0.62)
    difference = unpaired_difference(first, second)
    assert difference.value == pytest.approx(0.1)
    assert difference.low == pytest.approx(0.1 - math.hypot(0.04, 0.03))
    assert difference.high == pytest.approx(0.1 + math.hypot(0.02, 0.02))


def test_exchanged_versions_exchange_the_ends() -> None:
    first, second = MetricEstimate(0.50, 0.48, 0.53), MetricEstimate(0.60, 0.56, 0.62)
    there, back = unpaired_difference(first, second), unpaired_difference(second, first)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (MetricEstimate(None, reason="one class"), "not defined for both versions"),
        (MetricEstimate(0.5, reason="few rows"), "few rows"),
    ],
)
def test_without_an_interval_of_both_nothing_is_decided(first: MetricEstimate, reason: str) -> None:
    difference = unpaired_difference(first, MetricEstimate(0.6, 0.5, 0.7))
    assert (difference.low, difference.high, difference.reason) == (None, None, reason)
    assert metric("accuracy", difference).verdict == "not compared"


def test_equal_versions_differ_as_often_as_the_level_allows() -> None:
    rng = np.random.default_rng(0)
    n_rows, n_pairs = (400, 250), 2000
    hits = rng.binomial(n_rows, 0.9, size=(n_pairs, 2))
    n_significant = 0
    for pair in hits.tolist():
        estimates = []
        for n_hits, n in zip(pair, n_rows, strict=True):
            low, high = wilson_interval(n_hits / n, n, 1.96)
            estimates.append(MetricEstimate(n_hits / n, low, high))
        n_significant += metric("accuracy", unpaired_difference(*estimates)).verdict != "no significant difference"
    assert 0.03 * n_pairs <= n_significant <= 0.065 * n_pairs
