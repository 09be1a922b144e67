"""The table of metrics has training, limit and verdict, and is unknown with too few outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from app.html_table import Badge
from app.views.monitoring.performance_panel import metric_rows
from pipeline.monitoring import MetricLine


def row(**finding: Any) -> dict[str, Any]:
    line = MetricLine("log_loss", higher_is_better=False, baseline=0.125, limit=0.13125, realized=())
    performance = {
        "log_loss": 0.274,
        "intervals": {"log_loss": [0.258, 0.291]},
        "estimated": {"log_loss": {"value": 0.199}},
    }
    degradation = {"findings": [{"metric": "log_loss", "worsening": 1.19, **finding}]}
    return metric_rows(performance, degradation, (line,))[0]


@pytest.mark.parametrize(
    ("finding", "badge"),
    [
        ({"verdict": "degraded"}, Badge("119% worse", "red")),
        ({"verdict": "watch", "worsening": 0.04}, Badge("4% worse", "orange")),
        ({"verdict": "ok", "worsening": -0.1}, Badge("10% better", "green")),
        ({"verdict": "not_enough_data", "worsening": 0.9}, Badge("unknown", "gray")),
    ],
)
def test_a_verdict_has_the_size_and_the_color_of_the_change(finding: dict[str, Any], badge: Badge) -> None:
    assert row(**finding)["Verdict"] == badge


def test_a_row_names_the_metric_and_its_limit() -> None:
    cells = row(verdict="degraded")
    assert (cells["Metric"], cells["Measured"]) == ("Log loss", "0.274 (0.258 to 0.291)")
    assert (cells["Training"], cells["Limit"], cells["Estimated"]) == ("0.125", "0.131", "0.199")
