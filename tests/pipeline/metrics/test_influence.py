"""The influence of each row on a metric gives the standard error that other formulas give."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.metrics import METRICS, LabeledPredictions
from tests.pipeline.metrics.test_metric_intervals import make_population


def delong_standard_error(y: np.ndarray, score: np.ndarray) -> float:
    """The standard error of an AUC, from all pairs (DeLong, DeLong and Clarke-Pearson 1988)."""
    inside, outside = score[y == 1], score[y == 0]
    wins = (inside[:, None] > outside[None, :]) + 0.5 * (inside[:, None] == outside[None, :])
    return math.sqrt(wins.mean(axis=1).var(ddof=1) / len(inside) + wins.mean(axis=0).var(ddof=1) / len(outside))


@pytest.mark.parametrize("n_levels", [7, 10_000])
def test_the_influence_on_the_auc_gives_delongs_standard_error(n_levels: int) -> None:
    rows = make_population().take(np.arange(1500))
    score = np.round(rows.probabilities[:, 1] * n_levels) / n_levels
    tied = LabeledPredictions(rows.y, np.column_stack([1 - score, score]), rows.predicted, 1)
    influence = tied.of_true_class(METRICS["roc_auc"].spread.influence(tied, np.ones(1500)))
    assert math.sqrt((influence**2).sum()) / 1500 == pytest.approx(delong_standard_error(rows.y, score), rel=5e-3)
