"""The summary of a change has its costs and benefits, and one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.change_report.change_report import ChangeReport, GateChange, MetricChange
from pipeline.change_report.change_report_page import change_report_html
from pipeline.change_report.change_summary import change_effects, change_verdict
from pipeline.change_report.markdown import change_report_markdown
from pipeline.change_report.stage_changes import StageChange
from pipeline.evaluation import SliceChange
from pipeline.gates import SchemaChange
from pipeline.metrics import MetricEstimate

if TYPE_CHECKING:
    from typing import Any


def loss(low: float, high: float) -> MetricChange:
    return MetricChange(
        "log_loss", "nats", False, MetricEstimate(0.2), MetricEstimate(0.3), MetricEstimate(0.1, low, high)
    )


def auc(low: float, high: float) -> MetricChange:
    return MetricChange("roc_auc", "", True, MetricEstimate(0.8), MetricEstimate(0.9), MetricEstimate(0.1, low, high))


def part(value: str, low: float, high: float) -> SliceChange:
    return SliceChange("age", value, "log_loss", 50, 0.1, 0.2, MetricEstimate(0.1, low, high))


EMPTY = ChangeReport(
    base="main (1a2b3c4d)", revision="5e6f7a8b", notes=(), settings=(), executed_stages=(), pending_stages=(),
    is_same_model=False, metrics=(), gate_verdicts=("promote", "promote"), gates=(), slices=(), schema=(),
    size_mb=(None, None), latency_ms=None, curves={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "no significant difference"),
        ({"is_same_model": True}, "same model"),
        ({"is_same_model": None}, "not compared"),
        ({"metrics": (auc(0.05, 0.2),)}, "better"),
        ({"metrics": (loss(0.05, 0.2),)}, "worse"),
        ({"metrics": (loss(0.05, 0.2), auc(0.05, 0.2))}, "better and worse"),
        ({"metrics": (loss(-0.05, 0.2),), "slices": (part("1 to 2", 0.05, 0.2),)}, "worse"),
        ({"metrics": (auc(0.05, 0.2),), "gate_verdicts": ("promote", "hold")}, "gates: hold"),
        ({"metrics": (auc(0.05, 0.2),), "gate_verdicts": ("promote", "reject")}, "gates: reject"),
        ({"metrics": (auc(0.05, 0.2),), "schema": (SchemaChange("age", "removed", True),)}, "breaks clients"),
        ({"gate_verdicts": ("promote", "reject"), "pending_stages": (StageChange("train", "x"),)}, "not yet run"),
    ],
)
def test_the_worst_effect_is_the_verdict(changes: dict[str, Any], expected: str) -> None:
    assert change_verdict(replace(EMPTY, **changes))[0] == expected


def test_costs_and_benefits_have_both_values() -> None:
    change = replace(
        EMPTY,
        metrics=(loss(0.05, 0.2), auc(0.05, 0.2)),
        gate_verdicts=("promote", "reject"),
        gates=(GateChange("champion", "pass", "fail", "worse"),),
        slices=(part("1 to 2", 0.05, 0.2), part("2 to 3", -0.05, 0.2)),
        size_mb=(0.5, 0.25),
        latency_ms=(1.0, 1.01),
    )
    assert [(effect.label, effect.subject, effect.text) for effect in change_effects(change)] == [
        ("benefit", "Better metrics", "ROC AUC 0.8 to 0.9"),
        ("cost", "Worse metrics", "Log loss 0.2 to 0.3"),
        ("cost", "Gates", "promote before, reject after; failed: champion"),
        ("cost", "Worse slices", "age = 1 to 2"),
        ("benefit", "Package size", "0.5 to 0.25 MB (-50%)"),
        ("neutral", "Latency of one row", "1 to 1.01 ms (+1%)"),
    ]


def test_a_slice_without_a_significant_difference_is_no_finding() -> None:
    change = replace(EMPTY, slices=(part("2 to 3", -0.05, 0.2),))
    assert ("benefit", "none significantly") in [(effect.label, effect.text) for effect in change_effects(change)]
    assert "Significantly worse slices" not in change_report_markdown(change)
    assert "<summary>1 slice with a worse value, without a significant difference</summary>" in change_report_html(
        change
    )


def test_the_page_names_both_commits_and_links_the_index() -> None:
    page = change_report_html(EMPTY, index_address="index.html")
    assert "<dt>Commit</dt><dd>5e6f7a8b</dd>" in page
    assert "<dt>Compared with</dt><dd>main (1a2b3c4d)</dd>" in page
    assert '<a href="index.html">All reports</a>' in page
