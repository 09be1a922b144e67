"""A candidate passes a baseline by its interval, by its estimate, or by its ranking where one class is rare."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.gates.baseline_gate import baseline_gate
from pipeline.metrics import METRICS

Interval = tuple[float, float | None, float | None]


def difference(interval: Interval) -> dict[str, Any]:
    value, low, high = interval
    return {"value": value, "low": low, "high": high, "reason": None if low is not None else "too few rows"}


@pytest.mark.parametrize(
    ("log_loss", "roc_auc", "significant", "by_estimate", "not_worse"),
    [
        ((-0.4, -0.5, -0.3), (0.4, 0.3, 0.5), "pass", "pass", "pass"),
        ((-0.013, -0.027, 0.002), (0.22, 0.15, 0.28), "pass", "pass", "pass"),  # 6 % positives: ranks better
        ((-0.013, -0.027, 0.002), (0.02, -0.05, 0.09), "fail", "pass", "pass"),  # a small table
        (
            (0.02, -0.11, 0.15),
            (0.22, 0.15, 0.28),
            "fail",
            "fail",
            "pass",
        ),  # ranks better, but its probabilities are worse
        ((0.4, 0.3, 0.5), (-0.2, -0.3, -0.1), "fail", "fail", "fail"),
        ((-0.01, None, None), (0.0, None, None), "hold", "pass", "pass"),
    ],
)
def test_a_baseline_is_beaten_by_interval_ranking_or_estimate(
    log_loss: Interval, roc_auc: Interval, significant: str, by_estimate: str, not_worse: str
) -> None:
    differences = {"log_loss": difference(log_loss), "roc_auc": difference(roc_auc)}
    results = [
        baseline_gate("majority", differences, metric=METRICS["log_loss"], required=required).result
        for required in ("significantly_better", "better", "not_worse")
    ]
    assert results == [significant, by_estimate, not_worse]


def test_a_metric_where_higher_is_better_passes_on_its_other_side() -> None:
    differences = {"roc_auc": difference((0.1, 0.05, 0.15))}
    gate = baseline_gate("majority", differences, metric=METRICS["roc_auc"], required="significantly_better")
    assert (gate.result, gate.value, gate.fails_when) == ("pass", 0.05, "below")


def test_a_metric_that_was_not_evaluated_fails_with_the_setting() -> None:
    gate = baseline_gate("majority", {}, metric=METRICS["log_loss"], required="better")
    assert (gate.result, gate.reason) == ("fail", "log_loss is not evaluated; add it to evaluation.metrics")
