"""The text of a report names what changed once, and joins what did not."""

from __future__ import annotations

from typing import Any

from pipeline.monitoring.monitoring_text import (
    drift_headline,
    estimate_disagrees,
    format_metric,
    report_headline,
    report_text_lines,
)


def finding(column: str, verdict: str, summary: str) -> dict[str, Any]:
    return {"column": column, "verdict": verdict, "summary": summary}


def make_report(**drift: Any) -> dict[str, Any]:
    findings = [
        finding("age", "drift", "values shifted by 0.9"),
        finding("a", "stable", ""),
        finding("b", "stable", ""),
    ]
    values = {"drifted": ["age"], "n_rows": 1200, "n_reference": 5000, "shortage": "", "findings": findings}
    return {
        "model": "m",
        "drift": {
            "summary": "1 of 3 drifted (1,200 rows against 5,000). age: values shifted by 0.9",
            **values,
            **drift,
        },
        "degradation": {"degraded_metrics": ["log_loss"], "shortage": ""},
        "performance": {
            "provisional": False,
            "n_outcomes": 400,
            "log_loss": 0.2,
            "accuracy": None,
            "intervals": {"log_loss": [0.1, 0.3], "accuracy": [None, None]},
            "estimated": {"log_loss": {"value": 0.1}, "accuracy": {"value": 0.9}},
            "estimates_agree": {"log_loss": False},
        },
    }


def test_each_notable_column_and_each_metric_has_one_line_and_stable_columns_share_one() -> None:
    assert list(report_text_lines(make_report())) == [
        ("drift", "  drift            age: values shifted by 0.9"),
        ("stable", "  stable           2 columns without a notable change"),
        ("degraded", "  Log loss 0.2 (0.1 to 0.3), estimated 0.1, contradicted by outcomes"),
        ("", "  Accuracy not known, estimated 0.9"),
    ]


def test_too_few_rows_are_no_finding_of_a_column() -> None:
    few = [finding("age", "not_enough_data", "too few rows")]
    report = make_report(drifted=[], findings=few, shortage="12 of 200 rows needed")
    assert next(report_text_lines(report))[1].startswith("  Log loss")


def test_the_headline_names_columns_without_repeating_their_lines() -> None:
    assert report_headline(make_report()) == (
        "m: 1 of 3 columns drifted: age (1,200 rows against 5,000); degraded: Log loss (400 outcomes)"
    )


def test_the_headline_names_three_columns_and_counts_the_others() -> None:
    findings = [finding(name, "drift", "") for name in "abcdef"]
    drift = make_report(drifted=["a", "b", "c", "d", "e"], findings=findings)["drift"]
    assert drift_headline(drift) == "5 of 6 columns drifted: a, b, c and 2 more (1,200 rows against 5,000)"


def test_without_drift_the_headline_is_the_summary() -> None:
    assert drift_headline({"drifted": [], "summary": "stable: 300 rows"}) == "stable: 300 rows"


def test_a_metric_has_its_interval_where_it_is_known() -> None:
    assert [
        format_metric(None),
        format_metric(0.5),
        format_metric(0.5, [0.4, None]),
        format_metric(0.5, [0.4, 0.6]),
    ] == [
        "not known",
        "0.5",
        "0.5",
        "0.5 (0.4 to 0.6)",
    ]
    assert estimate_disagrees(make_report(), "log_loss")
    assert not estimate_disagrees(make_report(), "accuracy")
