"""Groups are counted by true and predicted class, and pairs of columns give their combinations."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.fairness import Grouping, GroupTallies
from pipeline.metrics import LabeledPredictions

SCORED = LabeledPredictions(
    y=np.array([0, 1, 1, 0]),
    probabilities=np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1], [0.3, 0.7]]),
    predicted=np.array([0, 1, 0, 1]),
    positive=1,
)


def test_rows_are_counted_by_group_true_and_predicted_class() -> None:
    grouping = Grouping(("sex",), ("f", "m", "missing"), np.array([0, 0, 1, 1]))
    tallies = GroupTallies.from_rows(grouping, SCORED)
    assert tallies.confusion.tolist() == [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, 0], [0, 0]]]
    assert tallies.n_rows.tolist() == [2, 2, 0]
    assert tallies.loss_sums is not None
    assert tallies.loss_sums[:, 0] == pytest.approx([-np.log(0.8) - np.log(0.6), -np.log(0.1) - np.log(0.3), 0.0])


def test_a_pair_has_a_group_for_each_combination() -> None:
    sex = Grouping(("sex",), ("f", "m"), np.array([0, 1, 1, 0]))
    age = Grouping(("age",), ("young", "old", "missing"), np.array([2, 0, 1, 1]))
    pair = sex.crossed(age)
    assert [pair.labels[code] for code in pair.codes] == ["f and missing", "m and young", "m and old", "f and old"]
    assert len(pair.labels) == 6


@pytest.mark.parametrize(("left", "right"), [(1, -1), (-1, 1), (-1, -1)])
def test_a_row_with_an_unknown_group_is_in_no_combination(left: int, right: int) -> None:
    sex, age = (Grouping((name,), ("a", "b"), np.array([code])) for name, code in (("sex", left), ("age", right)))
    assert sex.crossed(age).codes.tolist() == [-1]


def test_a_grouping_of_other_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"sex: 2 rows have a group; expected 4"):
        GroupTallies.from_rows(Grouping(("sex",), ("f", "m"), np.array([0, 1])), SCORED)
