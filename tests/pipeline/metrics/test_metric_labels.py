"""Each metric has a label and an explanation."""

from __future__ import annotations

import pytest

from pipeline.metrics import METRICS
from pipeline.metrics.metric_labels import METRIC_EXPLANATIONS, METRIC_LABELS, metric_label


def test_each_metric_has_a_label_and_an_explanation() -> None:
    assert [name for name in METRICS if name not in METRIC_LABELS or name not in METRIC_EXPLANATIONS] == []


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cv.log_loss", "Cross-validation: log loss"),
        ("test.roc_auc", "Test: ROC AUC"),
        ("own", "Own"),
        ("mean_error", "Mean error"),
    ],
)
def test_a_label_names_the_place_and_the_metric(name: str, label: str) -> None:
    assert metric_label(name) == label
