"""Combine probabilities, true classes and a threshold into rows for metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import LabeledPredictions
from pipeline.modeling.classifier import predicted_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Threshold
    from pipeline.schema import Target

__all__ = ["make_scored_rows"]


def make_scored_rows(
    target: Target,
    codes: NDArray[np.integer[Any]],
    probabilities: NDArray[np.float64],
    *,
    threshold: Threshold,
    n_bins: int = 10,
) -> LabeledPredictions:
    """Return rows with predicted classes, by the same rule as a classifier.

    Parameters
    ----------
    target : Target
    codes : int, shape (n_rows,)
        True classes as positions in `target.classes`.
    probabilities : float, shape (n_rows, n_classes)
    threshold : float between 0 and 1, of all rows or of each, or None
        Lowest probability that is predicted as positive; None for the most probable class.
    n_bins : int
        Bins of the calibration error.
    """
    classes = predicted_classes(probabilities, target, threshold)
    predicted = np.zeros(len(classes), dtype=np.int64)
    for code, name in enumerate(target.classes):
        predicted[classes == name] = code
    positive = target.classes.index(target.positive) if target.is_binary and target.positive is not None else None
    return LabeledPredictions(
        y=codes, probabilities=probabilities, predicted=predicted, positive=positive, n_bins=n_bins
    )
