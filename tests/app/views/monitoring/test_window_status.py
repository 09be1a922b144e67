"""The status of a window is as bad as its worst part, and unknown is never healthy."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.page_queries.window_queries import DriftOverview, HourlyActivity, WindowSummary
from app.views.monitoring.window_status import window_status
from pipeline.schema import FeatureLabels

pytestmark = pytest.mark.xdist_group("app")
LABELS = FeatureLabels({"age": "Age", "income": "Income"})
NONE = HourlyActivity((), ())
DEGRADED = {"metric": "log_loss", "baseline": 0.125, "value": 0.25, "verdict": "degraded"}


def drift(verdict: str, shortage: str = "") -> dict[str, Any]:
    findings = [
        {"column": "age", "kind": "feature", "verdict": verdict},
        {"column": "income", "kind": "feature", "verdict": "stable"},
    ]
    return {"verdict": verdict, "shortage": shortage, "findings": findings}


def degradation(*findings: dict[str, Any], shortage: str = "") -> dict[str, Any]:
    return {"degradation_detected": bool(findings), "findings": list(findings), "shortage": shortage}


@pytest.mark.parametrize(
    ("report", "degraded", "level", "sentence"),
    [
        (drift("stable"), degradation(), "healthy", "No drift in 2 features."),
        (drift("drift"), degradation(), "drift", "Drift in 1 of 2 features: Age since 27 Nov 18:00."),
        (drift("drift"), degradation(DEGRADED), "degraded", "Log loss up 100% (0.125 to 0.250)."),
        (drift("stable"), degradation(shortage="9 of 200 outcomes needed"), "unknown", "9 of 200 outcomes needed"),
        (drift("not_enough_data", "9 of 200 rows needed"), degradation(), "unknown", "9 of 200 rows needed"),
    ],
)
def test_the_level_is_that_of_the_worst_part(
    report: dict[str, Any], degraded: dict[str, Any], level: str, sentence: str
) -> None:
    summary = WindowSummary({}, {}, degraded, DriftOverview(report, ()), (), NONE, {}, ())
    status = window_status(
        summary, LABELS, drift_start="Age since 27 Nov 18:00" if report["verdict"] == "drift" else ""
    )
    assert status.level == level
    assert sentence in " ".join(status.sentences)


def test_a_long_sentence_is_shown_whole() -> None:
    at = AppTest.from_string(
        "from app.views.monitoring.window_status import WindowStatus, show_status\n"
        "show_status(WindowStatus('drift', ('x' * 300, 'the end')), 'Version 1')"
    ).run()
    assert at.markdown[0].value.endswith(f"{'x' * 300} the end")


def test_equal_traffic_in_a_window_that_has_not_ended_has_no_change() -> None:
    at = AppTest.from_string(
        "from app.views.monitoring.window_status import show_cards\n"
        "from app.page_queries.window_queries import DriftOverview, HourlyActivity, WindowSummary\n"
        "def traffic(n):\n"
        "    return {'total_predictions': n, 'n_outcomes': 0, 'average_confidence': 0.9, 'latency_ms': {}}\n"
        "from pipeline.schema import FeatureLabels\n"
        "report = {'verdict': 'stable', 'shortage': '', 'findings': []}\n"
        "summary = WindowSummary(traffic(240), {'coverage': 0}, {}, DriftOverview(report, ()), (),\n"
        "    HourlyActivity((), ()), traffic(250), ())\n"
        "show_cards(summary, FeatureLabels({}), min_rows=1, period='24 hours', passed=24 / 25)"
    ).run()
    assert not at.exception
    assert {card.label: card.delta for card in at.metric}["Predictions"] == "+0%"
