"""Return the loss of each row: metrics that are means over rows, which pairs of models can be compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.metrics.labeled_predictions import LabeledPredictions

__all__ = ["ROW_LOSS_METRICS", "row_losses_by_class"]

ROW_LOSS_METRICS = ("accuracy", "brier", "log_loss")


def row_losses_by_class(scored: LabeledPredictions, metric: str) -> NDArray[np.float64]:
    """Return the loss of each row under each true class, shape (n_rows, n_classes); lower is better.

    `metric` is one of `ROW_LOSS_METRICS`. The loss of accuracy is 1 for a wrong prediction.
    """
    if metric == "log_loss":
        return scored.log_losses
    if metric == "brier":
        return np.broadcast_to(scored.squared_errors, scored.probabilities.shape)
    return 1.0 - np.eye(scored.n_classes)[scored.predicted]
