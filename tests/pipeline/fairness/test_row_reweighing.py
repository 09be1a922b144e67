"""In the weighted rows group and class are independent, and no sum of a group or class changes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.fairness import independence_weights


def test_weights_make_group_and_class_independent() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 500)
    codes = (rng.random(500) < 0.2 + 0.3 * (groups == 1)).astype(int)
    weights = independence_weights(groups, codes)
    table = np.array([[weights[(groups == g) & (codes == c)].sum() for c in (0, 1)] for g in range(3)])
    assert table == pytest.approx(np.outer(np.bincount(groups), np.bincount(codes)) / 500)


def test_independent_rows_keep_equal_weights() -> None:
    groups, codes = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    assert independence_weights(groups, codes).tolist() == [1.0] * 100
