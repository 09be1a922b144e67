"""The report lists every group, never calls a small one fair, and shares one error rate among all comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.fairness import FairnessReport, GroupTallies, assess_fairness
from pipeline.schema import Target
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.config.groups.fairness_config import FairnessConfig

TARGET = Target("hired", ("no", "yes"), "yes")


def tallies(**groups: tuple[int, int, int, int]) -> GroupTallies:
    """Return groups by (true no, false yes, false no, true yes)."""
    confusion = np.array([[[tn, fp], [fn, tp]] for tn, fp, fn, tp in groups.values()])
    return GroupTallies(("sex",), tuple(groups), confusion)


def config(**changes: object) -> FairnessConfig:
    return settings().fairness.model_copy(update=changes)


def verdicts(report: FairnessReport) -> dict[str, str]:
    return {group.group: group.verdict for column in report.columns for group in column.groups}


def test_the_metrics_of_a_group_are_those_of_its_confusion() -> None:
    report = assess_fairness([tallies(f=(60, 20, 30, 90), m=(80, 40, 30, 50))], TARGET, config())
    values = {metric.metric: metric.value for metric in report.columns[0].groups[0].metrics}
    expected = {"selection_rate": 110 / 200, "true_positive_rate": 90 / 120, "false_positive_rate": 20 / 80}
    assert values == pytest.approx(expected)


def test_a_large_difference_fails_and_equal_groups_pass() -> None:
    unequal = assess_fairness([tallies(f=(900, 100, 900, 100), m=(500, 500, 500, 500))], TARGET, config())
    equal = assess_fairness([tallies(f=(4000, 800, 700, 4000), m=(4100, 800, 720, 4050))], TARGET, config())
    assert (unequal.verdict, equal.verdict) == ("fail", "pass")


def test_a_small_group_is_listed_and_is_never_fair() -> None:
    groups = {"f": (4000, 800, 700, 4000), "m": (4100, 800, 720, 4050), "x": (20, 4, 3, 20), "y": (0, 0, 0, 0)}
    report = assess_fairness([tallies(**groups)], TARGET, config())
    assert verdicts(report) == {"f": "pass", "m": "pass", "x": "not_enough_data"}
    assert report.columns[0].empty == ("y",)
    assert report.verdict == "not_enough_data"
    assert all(metric.smallest_visible for metric in report.columns[0].groups[2].metrics)


def test_a_rate_of_a_rare_class_has_not_enough_data() -> None:
    report = assess_fairness([tallies(f=(900, 90, 2, 8), m=(900, 100, 2, 8))], TARGET, config())
    by_metric = {metric.metric: metric.verdict for metric in report.columns[0].groups[0].metrics}
    assert by_metric["true_positive_rate"] == "not_enough_data"
    assert by_metric["false_positive_rate"] == "pass"


def test_comparisons_with_enough_rows_share_the_error_rate() -> None:
    groups = dict.fromkeys("abc", (200, 50, 50, 200)) | {"d": (3, 1, 1, 3)}
    assert assess_fairness([tallies(**groups)], TARGET, config()).n_comparisons == 9
    two = dict.fromkeys("ab", (200, 50, 50, 200))
    assert assess_fairness([tallies(**two)], TARGET, config()).n_comparisons == 3


def test_more_comparisons_widen_the_intervals() -> None:
    tally = tallies(f=(200, 50, 50, 200), m=(210, 50, 40, 200))
    one, ten = (assess_fairness([tally] * n, TARGET, config()).columns[0].groups[0].metrics[0] for n in (1, 10))
    assert one.low is not None
    assert ten.low is not None
    assert ten.low < one.low


def test_more_than_two_classes_are_compared_one_by_one() -> None:
    target = Target("kind", ("a", "b", "c"), None)
    tally = GroupTallies(("sex",), ("f", "m"), np.full((2, 3, 3), 40))
    report = assess_fairness([tally], target, config())
    assert [metric.of_class for metric in report.columns[0].groups[0].metrics[:3]] == ["a", "b", "c"]


def test_small_numbers_are_suppressed() -> None:
    report = assess_fairness([tallies(f=(4, 1, 1, 3), m=(400, 80, 72, 405))], TARGET, config()).as_dict()
    small, large = report["columns"][0]["groups"]
    assert (small["n_rows"], small["n_rows_text"]) == (None, "< 10")
    assert {metric[name] for metric in small["metrics"] for name in ("value", "others", "low")} == {None}
    assert (large["n_rows"], large["n_rows_text"]) == (957, "957")


def test_without_protected_columns_nothing_is_assessed() -> None:
    assert assess_fairness([], TARGET, config()).as_dict()["verdict"] == "not_assessed"
