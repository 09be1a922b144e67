"""The mean loss over rows is the metric, for each metric that is a mean over rows."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.metrics import compute_metrics
from pipeline.metrics.labeled_predictions import LabeledPredictions
from pipeline.metrics.row_losses import ROW_LOSS_METRICS, row_losses_by_class


@pytest.mark.parametrize("metric", ROW_LOSS_METRICS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_mean_of_the_losses_is_the_metric(metric: str, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(n_classes), 200)
    codes = rng.integers(0, n_classes, 200)
    scored = LabeledPredictions(codes, probabilities, probabilities.argmax(axis=1), 1 if n_classes == 2 else None)
    mean = scored.of_true_class(row_losses_by_class(scored, metric)).mean()
    expected = compute_metrics(scored, [metric])[metric]
    assert mean == pytest.approx(1 - expected if metric == "accuracy" else expected)
