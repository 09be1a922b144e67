"""Predict probabilities and classes of rows of declared columns by a fitted classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.fairness import GroupThresholds
    from pipeline.modeling.calibration import Calibration
    from pipeline.modeling.encoding import Encoder
    from pipeline.schema import Schema, Target

    Threshold = float | NDArray[np.float64] | None

__all__ = [
    "Classifier",
    "encode_target",
    "predicted_classes",
    "predicted_codes",
]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Encoder, estimator, calibration and threshold, applied to rows in this order.

    `threshold` is None where there are more than two classes; then the most probable class is
    predicted. With two, the positive class is predicted from this probability on. `group_thresholds`
    replaces it by one for each group of a protected column.
    """

    schema: Schema
    encoder: Encoder
    estimator: Any
    calibration: Calibration
    threshold: float | None
    group_thresholds: GroupThresholds | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probability columns."""
        return self.schema.target.classes

    def predict_proba(self, frame: pd.DataFrame | Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_rows, n_classes), in the order of `classes`.

        Raises
        ------
        DataError
            When a declared column is missing in `frame` or cannot be converted to its kind.
        """
        return self.calibration.apply(self.uncalibrated_proba(self.encoder.transform(frame)))

    def predict(self, frame: pd.DataFrame) -> NDArray[np.str_]:
        """Return the predicted class of each row."""
        return predicted_classes(self.predict_proba(frame), self.schema.target, self.row_thresholds(frame))

    def row_thresholds(self, rows: pd.DataFrame | Mapping[str, Sequence[Any]]) -> Threshold:
        """Return the threshold of all rows, or of each where groups have their own, shape (n_rows,)."""
        return self.threshold if self.group_thresholds is None else self.group_thresholds.of_rows(rows)

    def uncalibrated_proba(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the estimator's own probabilities of encoded rows, shape (n_rows, n_classes); not calibrated."""
        rows = matrix if hasattr(self.estimator, "takes_float32") else _as_float64(matrix)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._of_every_class(np.asarray(self.estimator.predict_proba(rows), dtype=np.float64))

    def staged_proba(self, frame: pd.DataFrame, stages: Sequence[int]) -> NDArray[np.float64]:
        """Return uncalibrated probabilities after each number of trees, shape (n_stages, n_rows, n_classes)."""
        rows = _as_float64(self.encoder.transform(frame))
        wanted = set(stages)
        return np.stack(
            [
                self._of_every_class(np.asarray(probabilities, dtype=np.float64))
                for n_trees, probabilities in enumerate(self.estimator.staged_predict_proba(rows), start=1)
                if n_trees in wanted
            ]
        )

    def _of_every_class(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities with a column of zeros for each class that the estimator has not seen."""
        if probabilities.shape[1] == len(self.classes):
            return probabilities
        scattered = np.zeros((len(probabilities), len(self.classes)))
        scattered[:, np.asarray(self.estimator.classes_, dtype=int)] = probabilities
        return scattered


def predicted_classes(probabilities: NDArray[np.float64], target: Target, threshold: Threshold) -> NDArray[np.str_]:
    """Return the class of each row of `probabilities`: by threshold on the positive class, or the most probable.

    Parameters
    ----------
    probabilities : float, shape (n_rows, n_classes)
    target : Target
        Names and order of the classes.
    threshold : float between 0 and 1, of all rows or of each, or None
        Lowest probability that is predicted as positive.
    """
    return np.asarray(np.array(target.classes)[predicted_codes(probabilities, target, threshold)])


def predicted_codes(probabilities: NDArray[np.float64], target: Target, threshold: Threshold) -> NDArray[np.int64]:
    """Return the predicted classes as positions in the target's classes."""
    if threshold is None or target.positive is None:
        return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)
    positive = target.classes.index(target.positive)
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive).astype(np.int64)


def encode_target(frame: pd.DataFrame, target: Target) -> NDArray[np.int64]:
    """Return the position of each row's class in `target.classes`.

    Raises
    ------
    DataError
        When the target column is absent, or a label is missing or not declared.
    """
    if target.column not in frame:
        raise DataError(f"{target.column}: the rows have no target column of this name")
    code_of = {name: code for code, name in enumerate(target.classes)}
    codes = np.array([code_of.get(name, -1) for name in frame[target.column].astype(object)], dtype=np.int64)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        label = frame[target.column].iloc[row]
        raise DataError(f"{target.column}: row {row} contains {label!r}; expected one of {', '.join(target.classes)}")
    return codes


def _as_float64(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the same numbers as float64: estimators compute in the precision of their input."""
    return matrix.astype(np.float64)
