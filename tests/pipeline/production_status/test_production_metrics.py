"""A metric is measured only with enough outcomes, and a run with too few rows has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.production_status.production_metrics import production_metrics
from tests.pipeline.production_status.status_scenarios import monitor_run


def _metric(realized: float | None, estimated: float | None, baseline: float | None, verdict: str | None) -> Any:
    return {"realized": realized, "estimated": estimated, "baseline": baseline, "verdict": verdict}


def _run(verdict: str = "drift", **metrics: Any) -> Any:
    return replace(monitor_run(), verdict=verdict, summary={"metrics": metrics})


def test_measured_metrics_come_before_estimated_ones() -> None:
    changes = production_metrics(
        _run(
            recall=_metric(0.9, 0.8, 0.5, "not_enough_data"),
            log_loss=_metric(0.235, 0.2, 0.125, "degraded"),
            ece=_metric(None, None, 0.1, None),
        )
    )
    assert [(change.label, change.value, change.is_measured, change.verdict) for change in changes] == [
        ("Log loss", 0.235, True, "degraded"),
        ("Recall", 0.8, False, None),
    ]
    assert changes[0].relative_change == pytest.approx(0.88)


@pytest.mark.parametrize("verdict", ["not_enough_data", "not_evaluated"])
def test_too_few_rows_have_no_metrics(verdict: str) -> None:
    assert production_metrics(_run(verdict, recall=_metric(0.9, 0.8, 0.5, "ok"))) == ()


def test_without_a_run_there_is_nothing() -> None:
    assert production_metrics(None) == ()


def test_a_training_value_of_zero_has_no_relative_change() -> None:
    assert production_metrics(_run(cost=_metric(0.2, None, 0.0, "ok")))[0].relative_change is None
