"""The training values of a column are its range, or its most frequent words."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.package import Bins
from pipeline.package.training_values import TrainingValues, training_values

NUMBERS = Bins("n", "quantiles", (0.5, 2.0, 7.25), (5, 5, 0, 0, 0))
WHOLE = Bins("w", "values", (3, 4, 9), (1, 1, 1, 0, 0, 0, 0))
WORDS = Bins("c", "words", ("a", "b", "d", "e", "f"), (10, 60, 20, 5, 5, 0, 0))
DATES = Bins("d", "quantiles", (0.0, 86_400_000_000.0), (5, 0, 0, 0), is_date=True)


@pytest.mark.parametrize(
    ("bins", "value", "expected"),
    [
        (NUMBERS, 1.0, TrainingValues("0.5 to 7.25", "")),
        (NUMBERS, 9.0, TrainingValues("0.5 to 7.25", "above")),
        (NUMBERS, None, TrainingValues("0.5 to 7.25", "")),
        (NUMBERS, "word", TrainingValues("0.5 to 7.25", "not comparable")),
        (WHOLE, 2, TrainingValues("3 to 9", "below")),
        (WORDS, "z", TrainingValues("b 60%, d 20%, a 10%, 2 more", "unseen")),
        (DATES, "1970-01-01", TrainingValues("1970-01-01 to 1970-01-02", "")),
    ],
)
def test_a_value_is_compared_with_the_training_values(bins: Bins, value: Any, expected: TrainingValues) -> None:
    assert training_values(bins, value) == expected
