"""Changed settings are listed with their columns, units and stages."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pipeline.change_report.change_report import ChangeReport, MetricChange
from pipeline.change_report.change_report_page import change_report_html
from pipeline.change_report.markdown import change_headline, change_report_markdown
from pipeline.change_report.setting_changes import changed_settings
from pipeline.change_report.stage_changes import stages_that_ran
from pipeline.metrics import MetricEstimate
from tests.fixtures.composed_config import composed

GRAPH = {"ingest": {"params": ["data.columns"]}, "train": {"params": ["model", "data.columns"]}}


def changed_labels(change: Any) -> list[tuple[str, tuple[str, ...]]]:
    before = composed().values
    after = copy.deepcopy(before)
    change(after)
    return [(str(setting), setting.stages) for setting in changed_settings(before, after, GRAPH)]


def test_a_limit_of_a_column_is_compared_with_the_inherited_one() -> None:
    def change(values: Any) -> None:
        values["data"]["columns"]["Time_spent_Alone"]["drift_limit"] = 0.15
        values["data"]["columns"]["Stage_fear"]["drift_limit"] = 0.07

    assert changed_labels(change) == [
        ("drift limit of Time_spent_Alone 0.1 (from the group drift) -> 0.15", ("ingest", "train")),
        ("drift limit of Stage_fear 0.05 (from the group drift) -> 0.07", ("ingest", "train")),
    ]


def test_added_and_removed_settings_are_listed_as_none() -> None:
    def change(values: Any) -> None:
        del values["model"]["estimator"]["max_iter"]
        values["model"]["estimator"]["max_bins"] = 64

    assert [label for label, _ in changed_labels(change)] == [
        "model.estimator.max_bins none -> 64",
        "model.estimator.max_iter auto -> none",
    ]


def test_stages_that_ran_name_the_keys_below_their_params() -> None:
    before = {"train": {"params": {"params.yaml": {"model": {"a": 1, "b": 2}}}, "deps": [{"path": "x", "md5": "1"}]}}
    after = {"train": {"params": {"params.yaml": {"model": {"a": 1, "b": 3}}}, "deps": [{"path": "x", "md5": "2"}]}}
    assert [(change.stage, change.reason) for change in stages_that_ran(before, after)] == [
        ("train", "setting model.b, x")
    ]


@pytest.mark.parametrize(
    ("higher_is_better", "difference", "verdict"),
    [
        (True, MetricEstimate(0.1, 0.05, 0.2), "better"),
        (False, MetricEstimate(0.1, 0.05, 0.2), "worse"),
        (True, MetricEstimate(-0.1, -0.2, -0.05), "worse"),
        (True, MetricEstimate(0.1, -0.05, 0.2), "no significant difference"),
        (True, MetricEstimate(0.0, 0.0, 0.0), "equal"),
        (True, None, "not compared"),
    ],
)
def test_the_verdict_of_a_difference_needs_significance(
    higher_is_better: bool, difference: MetricEstimate | None, verdict: str
) -> None:
    assert MetricChange("f", "share", higher_is_better, None, None, difference).verdict == verdict


def test_the_text_of_a_setting_is_escaped() -> None:
    before = {"name": "a"}
    after = {"name": "<script>alert(1)</script> | @everyone"}
    changed = changed_settings(before, after, {})
    change = ChangeReport(
        "main", "", (), changed, (), (), None, (), ("not evaluated", "not evaluated"), (), (), (), (None, None),
        None, {},
    )  # fmt: skip
    assert "<script" not in change_report_html(change) + change_report_markdown(change)
    assert "\\| `@everyone`" in change_report_markdown(change)
    assert change_headline(change) == "1 setting changed; all stages are up to date"
