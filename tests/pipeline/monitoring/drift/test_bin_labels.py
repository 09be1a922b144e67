"""Bins outside of training are named in words, and each filter selects the rows of its bin."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from pipeline.monitoring.drift.bin_labels import bin_filters, bin_words
from pipeline.package.bins import Bins

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
AGE = Bins("age", "quantiles", (0.0, 2.5, 4.0), (5, 5, 0, 0, 0))
VISITS = Bins("age", "values", (0, 1, 2), (5, 5, 5, 0, 0, 0, 0))


def is_met(value: float, text: str) -> bool:
    if text == "age is missing":
        return bool(np.isnan(value))
    sign = next(each for each in OPERATORS if text.removeprefix("age").startswith(each))
    return bool(OPERATORS[sign](value, float(text.removeprefix(f"age{sign}"))))


@pytest.mark.parametrize("bins", [AGE, VISITS])
def test_a_value_meets_the_filters_of_its_bin_alone(bins: Bins) -> None:
    values = [-1.0, 0.0, 1.0, 2.0, 2.5, 2.6, 4.0, 5.0, np.nan]
    for value, code in zip(values, bins.codes(np.array(values)).tolist(), strict=True):
        met = [place for place, texts in enumerate(bin_filters(bins)) if texts and all(is_met(value, t) for t in texts)]
        assert met == ([code] if bin_filters(bins)[code] else [])


def test_words_have_a_filter_each_and_unseen_ones_exclude_the_known() -> None:
    bins = Bins("plan", "words", ("basic", "pro"), (5, 5, 0, 0))
    assert bin_filters(bins) == (("plan=basic",), ("plan=pro",), ("plan!=basic", "plan!=pro"), ("plan is missing",))


def test_a_category_that_is_named_as_a_bin_keeps_its_name() -> None:
    assert bin_words(["below", "missing", "unseen", "missing"]) == [
        "below",
        "missing",
        "not seen in training",
        "missing",
    ]


@pytest.mark.parametrize("labels", [[], ["missing"], ["below", "above", "missing"]])
def test_few_bins_have_words(labels: list[str]) -> None:
    assert bin_words(labels) == labels
