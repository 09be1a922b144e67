"""A change of importance must be significant and large; ranks decide nothing."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.config.groups.monitoring_config import ImportanceConfig
from pipeline.modeling.row_importance import ImportanceSums
from pipeline.monitoring.importance import compare_importance, importance_shares

CONFIG = ImportanceConfig(max_rows=2000, n_redraws=4, alpha=0.02, min_share_change=0.05)


def sums(mean: float, *, n: int = 1000, deviation: float = 0.1) -> ImportanceSums:
    values = np.random.default_rng(0).normal(0.0, deviation, n)
    return ImportanceSums.from_values(values - values.mean() + mean)


def changed(reference: dict[str, ImportanceSums], current: dict[str, ImportanceSums]) -> list[str]:
    return [change.feature for change in compare_importance(reference, current, CONFIG) if change.is_changed]


def test_equal_importance_is_no_change() -> None:
    assert changed({"a": sums(0.5), "b": sums(0.2)}, {"a": sums(0.5), "b": sums(0.2)}) == []


def test_a_large_and_significant_difference_is_a_change() -> None:
    assert changed({"a": sums(0.5), "b": sums(0.5)}, {"a": sums(0.5), "b": sums(0.1)}) == ["b"]


def test_a_significant_difference_of_equal_shares_is_no_change() -> None:
    assert changed({"a": sums(0.5), "b": sums(0.5)}, {"a": sums(0.3), "b": sums(0.3)}) == []


def test_a_large_difference_within_chance_is_no_change() -> None:
    few = {"n": 20, "deviation": 2.0}
    assert changed({"a": sums(0.5), "b": sums(0.5)}, {"a": sums(0.5, **few), "b": sums(0.1, **few)}) == []


def test_the_largest_change_of_a_share_comes_first() -> None:
    changes = compare_importance(
        {"a": sums(0.5), "b": sums(0.5), "c": sums(0.0)}, {"a": sums(0.45), "b": sums(0.5), "c": sums(0.3)}, CONFIG
    )
    assert changes[0].feature == "c"
    assert changes[0].reference_share == 0.0
    assert changes[0].current_share == pytest.approx(0.3 / 1.25)


def test_features_without_importance_have_no_share() -> None:
    assert importance_shares({"a": ImportanceSums(5, 0.0, 0.0), "b": ImportanceSums(5, -1.0, 1.0)}) == {"a": 0, "b": 0}
    same = {"a": ImportanceSums(5, 0.0, 0.0)}
    assert changed(same, same) == []
