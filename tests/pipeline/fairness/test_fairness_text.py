"""A reader sees each group, its rows, its interval, and what too few rows could show."""

from __future__ import annotations

from pipeline.fairness import assess_fairness, fairness_markdown, fairness_rows, fairness_summary, fairness_text
from tests.pipeline.fairness.test_fairness_report import TARGET, config, tallies

REPORT = assess_fairness(
    [tallies(f=(900, 100, 900, 100), m=(500, 500, 500, 500), x=(20, 4, 3, 20), y=(0, 0, 0, 0))], TARGET, config()
).as_dict()


def test_the_summary_counts_verdicts_and_names_failing_groups() -> None:
    assert fairness_summary(REPORT) == "2 groups: fail; 1 group: not enough data (sex f, sex m)"


def test_there_is_a_row_for_each_group_and_metric_and_for_groups_without_rows() -> None:
    rows = fairness_rows(REPORT)
    assert [(row["group"], row["metric"]) for row in rows][:2] == [("f", "selection_rate"), ("f", "true_positive_rate")]
    assert (len(rows), rows[-1]["group"], rows[-1]["verdict"]) == (10, "y", "not_enough_data")


def test_the_text_has_a_line_for_each_comparison_and_the_verdict() -> None:
    lines = fairness_text(REPORT).splitlines()
    assert "not enough data (visible: below" in next(line for line in lines if line.startswith("sex     x"))
    assert lines[-2:] == ["without rows: sex y", f"verdict: fail; {fairness_summary(REPORT)}"]


def test_the_card_distinguishes_missing_data_from_a_pass() -> None:
    assert "Not enough data is not a pass." in fairness_markdown(REPORT)
    assert "No column is declared as protected" in fairness_markdown(assess_fairness([], TARGET, config()).as_dict())


def test_the_card_has_a_table_of_findings_and_lists_every_group() -> None:
    lines = fairness_markdown(REPORT).splitlines()
    table = [line for line in lines if line.startswith("| sex")]
    assert {line.split("|")[-2].strip() for line in table} <= {"fail", "watch"}
    assert "- sex: fail: f (2,000), m (2,000); not enough data: x (47); without rows: y." in lines


def test_the_card_shows_a_mitigation_with_its_reason_and_its_price() -> None:
    metrics = {"before": {"accuracy": 0.9, "log_loss": 0.3}, "after": {"accuracy": 0.89, "log_loss": 0.3}}
    groups = {
        name: [{"group": "f", "metrics": [{"metric": "selection_rate", "value": value}]}]
        for name, value in (("before", 0.2), ("after", 0.3))
    }
    thresholds = {"thresholds": {"f": 0.4, "m": 0.6}}
    mitigation = {"kind": "thresholds", "column": "sex", "reason": "approved", "metrics": metrics, "groups": groups}
    text = fairness_markdown({**REPORT, "mitigation": {**mitigation, "thresholds": thresholds}})
    assert "**Mitigation**: `thresholds` by sex. Stated reason: approved." in text
    assert "f 0.4, m 0.6" in text
    assert "| all rows | accuracy | 0.9000 | 0.8900 |" in text
    assert "| f | selection_rate | 0.2000 | 0.3000 |" in text
