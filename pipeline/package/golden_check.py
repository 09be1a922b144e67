"""Predict the golden rows of a package again and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier

__all__ = ["GOLDEN_TOLERANCE", "check_golden", "check_golden_classes"]

GOLDEN_TOLERANCE = 1e-6


def check_golden(golden: Mapping[str, Any], predict_proba: Callable[[Any], NDArray[np.float64]]) -> None:
    """Predict the golden rows again and compare.

    Raises
    ------
    IntegrityError
        When a probability differs from the stored one.
    """
    try:
        expected = np.array(golden["probabilities"], dtype=np.float64)
        probabilities = predict_proba(golden["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"golden.json: not what a package writes ({error})") from error
    if probabilities.shape != expected.shape:
        raise IntegrityError(f"golden.json: {len(expected)} predictions are stored for {len(probabilities)} rows")
    differs = ~(np.abs(probabilities - expected).max(axis=1, initial=0.0) <= GOLDEN_TOLERANCE)
    if differs.any():
        raise IntegrityError(
            f"golden.json: row {int(np.flatnonzero(differs)[0])}: the prediction differs from the one stored at"
            " packaging; library versions differ, or the package is damaged"
        )


def check_golden_classes(golden: Mapping[str, Any], classifier: Classifier) -> None:
    """Predict the classes of the golden rows again, where the threshold of a row depends on its group.

    Raises
    ------
    IntegrityError
        When a class differs from the stored one, and the probability is not at the threshold.
    """
    thresholds, positive = classifier.row_thresholds(golden["columns"]), classifier.schema.target.positive
    if not isinstance(thresholds, np.ndarray) or positive is None:
        return
    score = np.array(golden["probabilities"], dtype=np.float64)[:, classifier.classes.index(positive)]
    differs = classifier.predict(golden["columns"]) != np.array(golden["classes"])
    differs &= np.abs(score - thresholds) > GOLDEN_TOLERANCE
    if differs.any():
        raise IntegrityError(
            f"golden.json: row {int(np.flatnonzero(differs)[0])}: the class differs from the one stored at packaging;"
            " a threshold of its group has changed: restore the package"
        )
