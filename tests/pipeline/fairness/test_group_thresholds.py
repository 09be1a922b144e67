"""Thresholds of groups bring a rate within its limit at the least cost, and every form of rows gets the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.groups.fairness_config import FairnessLimitConfig
from pipeline.fairness import Grouping, GroupThresholds, ThresholdSearch
from pipeline.schema import Column

COLOUR = Column("colour", "category", "category", categories=("blue", "red"), protected=True)
BY_COLOUR = GroupThresholds("colour", "category", ("blue", "red"), {"blue": 0.4, "red": 0.6, "missing": 0.3}, 0.5)
IS_NEW = GroupThresholds("is_new", "boolean", (), {"true": 0.2, "false": 0.7}, 0.5)
WORDS = ["red", None, "blue", "green"]


@pytest.mark.parametrize(
    "values",
    [WORDS, pd.Series(WORDS, dtype="string"), pd.Series(WORDS, dtype="category"), pa.array(WORDS)],
    ids=["list", "string", "category", "arrow"],
)
def test_every_form_of_words_has_the_same_thresholds(values: Any) -> None:
    assert BY_COLOUR.of_rows({"colour": values}).tolist() == [0.6, 0.3, 0.4, 0.5]


def test_a_word_named_missing_is_another_group_than_a_missing_value() -> None:
    thresholds = GroupThresholds("colour", "category", ("missing", "unseen"), {"missing": 0.2, "unseen": 0.3}, 0.5)
    assert thresholds.of_rows({"colour": ["missing", None, "unseen", "green"]}).tolist() == [0.2, 0.5, 0.3, 0.5]


@pytest.mark.parametrize(
    "values", [[True, None, False], pd.Series([True, None, False], dtype="boolean"), pa.array([True, None, False])]
)
def test_every_form_of_booleans_has_the_same_thresholds(values: Any) -> None:
    assert IS_NEW.of_rows({"is_new": values}).tolist() == [0.2, 0.5, 0.7]


def test_thresholds_are_stored_as_plain_values() -> None:
    assert GroupThresholds.from_dict(BY_COLOUR.as_dict()) == BY_COLOUR


def search(metric: str, limit: FairnessLimitConfig) -> ThresholdSearch:
    return ThresholdSearch(COLOUR, metric, limit, min_rows=50, min_class_rows=10)


def unequal_rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, Grouping]:
    """Return calibrated scores that are higher for red, the classes they give, and the groups."""
    rng = np.random.default_rng(seed)
    is_red = rng.random(n) < 0.4
    scores = rng.beta(np.where(is_red, 3.0, 1.5), 2.0)
    groups = Grouping(("colour",), ("blue", "red", "unseen", "missing"), is_red.astype(int))
    return scores, rng.random(n) < scores, groups


def rates(thresholds: GroupThresholds, metric: str, rows: tuple[np.ndarray, np.ndarray, Grouping]) -> list[float]:
    scores, is_positive, groups = rows
    is_predicted = scores >= thresholds.of_groups(groups)
    of_class = {
        "selection_rate": is_positive >= 0,
        "true_positive_rate": is_positive,
        "false_positive_rate": ~is_positive,
    }
    return [float(is_predicted[(groups.codes == code) & of_class[metric]].mean()) for code in (0, 1)]


@pytest.mark.parametrize("metric", ["selection_rate", "true_positive_rate", "false_positive_rate"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_chosen_thresholds_are_within_the_limit(metric: str, seed: int) -> None:
    rows = unequal_rows(600, seed)
    for limit in (FairnessLimitConfig(max_gap=0.05), FairnessLimitConfig(min_ratio=0.9)):
        chosen = search(metric, limit).choose(*rows, default=0.5)
        low, high = sorted(rates(chosen, metric, rows))
        assert high - low <= 0.05 + 1e-9 if limit.max_gap else low >= 0.9 * high - 1e-9


def test_the_thresholds_cost_no_more_than_others_within_the_limit() -> None:
    rows = unequal_rows(800, 3)
    scores, _, groups = rows

    def cost(thresholds: np.ndarray) -> float:
        is_predicted = scores >= thresholds
        return float(np.where(is_predicted, 1.0 - scores, scores).sum())

    chosen = search("selection_rate", FairnessLimitConfig(max_gap=0.1)).choose(*rows, default=0.5)
    for blue in np.linspace(0.2, 0.8, 25):
        for red in np.linspace(0.2, 0.8, 25):
            other = GroupThresholds("colour", "category", ("blue", "red"), {"blue": blue, "red": red}, 0.5)
            low, high = sorted(rates(other, "selection_rate", rows))
            if high - low <= 0.0975:  # a step of the grid of bands below the limit
                assert cost(chosen.of_groups(groups)) <= cost(other.of_groups(groups)) + 1e-6


def test_thresholds_stay_where_the_limit_holds_already() -> None:
    rows = unequal_rows(600, 1)
    chosen = search("selection_rate", FairnessLimitConfig(max_gap=0.99)).choose(*rows, default=0.35)
    assert chosen.thresholds == {"blue": 0.35, "red": 0.35}


def test_a_small_group_keeps_the_default() -> None:
    scores, is_positive, groups = unequal_rows(600, 1)
    codes = groups.codes.copy()
    codes[:20] = 3
    few = Grouping(groups.columns, groups.labels, codes)
    chosen = search("selection_rate", FairnessLimitConfig(max_gap=0.05)).choose(scores, is_positive, few, default=0.5)
    assert sorted(chosen.thresholds) == ["blue", "red"]
    assert chosen.of_groups(few)[:20].tolist() == [0.5] * 20
