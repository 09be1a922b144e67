"""The parts of a comparison show every metric, gate and setting of both versions."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import tables_of, text_of

pytestmark = pytest.mark.xdist_group("app")


def _comparison() -> None:
    from app.views.models import comparison_panel
    from pipeline.metrics import MetricEstimate
    from pipeline.version_comparison import (
        EvaluationComparison,
        GateResults,
        MetricComparison,
        VersionDiff,
        VersionDifference,
    )

    loss = MetricComparison(
        "log_loss",
        MetricEstimate(0.2, 0.1, 0.3),
        MetricEstimate(0.5, 0.4, 0.6),
        MetricEstimate(0.3, 0.2, 0.4),
        is_paired=True,
    )
    recall = MetricComparison(
        "recall", MetricEstimate(0.8), MetricEstimate(0.9), MetricEstimate(0.1, reason="few rows"), is_paired=True
    )
    evaluation = EvaluationComparison(3, 7, "log_loss", 0.95, (loss, recall), n_rows=100)
    gates = (GateResults("size", "pass", "pass"), GateResults("champion", None, "fail", "", "inferior"))
    setting = VersionDifference("model.estimator.C", 1, 0.5)
    diff = VersionDiff(3, 7, (), (setting,), (), gates, evaluation)
    comparison_panel.show_metrics(evaluation)
    comparison_panel.show_gates(diff)
    comparison_panel.show_settings(diff)


def test_metrics_gates_and_settings_are_side_by_side() -> None:
    at = AppTest.from_function(_comparison, default_timeout=60).run()
    assert not at.exception
    metrics, gates, settings = tables_of(at)
    assert metrics[["Metric", "Version 3", "Version 7", "Verdict"]].to_numpy().tolist() == [
        ["Log loss", "0.2000", "0.5000", "worse"],
        ["Recall", "0.8000", "0.9000", "not compared"],
    ]
    assert gates.to_numpy().tolist() == [["champion", "not evaluated", "fail"], ["size", "pass", "pass"]]
    assert settings.to_numpy().tolist() == [["model.estimator.C", "1", "0.5"]]
    text = text_of(at).replace("\\", "")
    assert "No interval of Recall: few rows." in text
    assert "Version 7, champion: inferior." in text
