"""The impact of a feature is its share of the drift, and its limit is named by the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.views.monitoring.distribution_panel import drift_impact, limit_key
from pipeline.monitoring.drift.statistic_labels import STATISTIC_LABELS
from tests.fixtures.toy_dataset import ROOT


def finding(**changes: Any) -> dict[str, Any]:
    return {"column": "age", "kind": "feature", "verdict": "drift", "priority": 3.0, **changes}


def test_the_impact_is_the_share_of_drift_times_importance() -> None:
    findings = {
        "age": finding(),
        "income": finding(column="income", priority=1.0),
        "city": finding(column="city", verdict="watch", priority=9.0),
        "score": finding(column="score", kind="prediction", priority=9.0),
    }
    impacts = {name: drift_impact(each, findings) for name, each in findings.items()}
    assert impacts == {"age": 0.75, "income": 0.25, "city": None, "score": None}


def test_a_feature_without_importance_has_no_impact() -> None:
    assert drift_impact(finding(priority=None), {"age": finding(priority=None)}) is None


@pytest.mark.parametrize("statistic", ["wasserstein", "missing", "rare_values", "rank_biserial", "jensen_shannon"])
def test_each_deciding_statistic_has_a_limit_in_the_settings(statistic: str) -> None:
    lines = Path(ROOT / "conf/drift/default.yaml").read_text(encoding="utf-8")
    _, group, name = limit_key(statistic).split(".")
    assert f"{group}:" in lines
    assert f"{name}:" in lines
    assert statistic in STATISTIC_LABELS
