"""Values are rounded once, where they are written."""

from __future__ import annotations

import math

import pytest

from pipeline.metrics import round_significant


@pytest.mark.parametrize(("value", "expected"), [(1 / 3, 0.3333333333), (math.nan, None), (None, None), (0.0, 0.0)])
def test_values_are_rounded_to_ten_significant_digits(value: float | None, expected: float | None) -> None:
    assert round_significant(value) == expected
