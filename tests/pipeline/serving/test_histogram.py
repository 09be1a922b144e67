from __future__ import annotations

import numpy as np
import pytest

from pipeline.serving.histogram import Histogram


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((0.1, 0.2))
    for value in (0.1, 0.15, 0.2, 0.21):
        histogram.observe(value)
    assert histogram.as_dict() == {"buckets": {"0.1": 1, "0.2": 3, "+Inf": 4}, "sum": pytest.approx(0.66)}


@pytest.mark.parametrize("n_values", [0, 1, 20, 21, 500])
def test_many_values_are_counted_as_single_values_are(n_values: int) -> None:
    # Multiples of 0.05: every other value lies on a bound.
    values = (np.random.default_rng(1).integers(0, 25, n_values) * 0.05).tolist()
    together, single = Histogram((0.1, 0.5, 1.0)), Histogram((0.1, 0.5, 1.0))
    together.observe_all(values)
    for value in values:
        single.observe(value)
    assert together.counts == single.counts
    assert together.total == pytest.approx(single.total)
