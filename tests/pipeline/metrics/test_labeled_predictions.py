"""Rows with missing or contradictory values are refused."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.metrics import (
    LabeledPredictions,
)
from tests.pipeline.metrics.test_metric_table import HAND_EXAMPLE


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": np.array([1])}, "expected equally many"),
        ({"probabilities": np.full((4, 2), np.nan)}, "missing or infinite"),
        ({"positive": None}, "expected one for two classes only"),
    ],
)
def test_invalid_rows_are_refused(change: dict[str, object], match: str) -> None:
    fields = {
        "y": HAND_EXAMPLE.y,
        "probabilities": HAND_EXAMPLE.probabilities,
        "predicted": HAND_EXAMPLE.predicted,
        "positive": 1,
    }
    with pytest.raises(DataError, match=match):
        LabeledPredictions(**(fields | change))
