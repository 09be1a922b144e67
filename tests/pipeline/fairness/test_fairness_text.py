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
