"""Fit a classifier to declared columns, and predict probabilities and classes of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.encoding import Encoder, make_encoder
from pipeline.modeling.estimators import ALLOWED_PACKAGES, build_estimator, supports_class_weight
from pipeline.modeling.row_weights import row_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.fairness import GroupThresholds
    from pipeline.modeling.mitigation import Mitigation
    from pipeline.schema import Schema, Target

    Threshold = float | NDArray[np.float64] | None

__all__ = [
    "Classifier",
    "encode_target",
    "fit_classifier",
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


def fit_classifier(
    frame: pd.DataFrame,
    schema: Schema,
    features: FeaturesConfig,
    *,
    model: ModelConfig,
    seed: int,
    class_weight: str | None = None,
    mitigation: Mitigation | None = None,
) -> Classifier:
    """Fit a classifier to `frame`; it is not calibrated, and its threshold is 0.5 (None beyond two classes).

    Rows count by the column with the role weight; with `class_weight` the weights are multiplied. The encoder counts
    each row once. Native libraries use one thread: some estimators would otherwise store the number of threads, and the
    last bits of others would depend on it.

    Raises
    ------
    ConfigError
        When the estimator cannot be built, refuses these rows, or takes no weights.
    DataError
        When rows do not match the schema, or fewer than two classes occur.
    """
    from threadpoolctl import threadpool_limits

    _refuse_infinities(frame, schema)
    codes = encode_target(frame, schema.target)
    if len(np.unique(codes)) < 2:
        raise DataError(f"{schema.target.column}: only one class occurs in {len(codes)} rows; at least two are needed")
    encoder = make_encoder(schema, features, model.inputs, seed=seed)
    matrix = encoder.fit_transform(frame, codes)
    weights = _product(row_weights(frame, schema), None if mitigation is None else mitigation.row_weights(frame))
    weighted = _build_weighted(model, seed=seed, class_weight=class_weight, has_weights=weights is not None)
    estimator = weighted.estimator
    if weighted.needs_row_weights:
        weights = _balanced_row_weights(codes) * (1.0 if weights is None else weights)
    fit_arguments = {} if weights is None else {"sample_weight": weights}
    # Sums of values near the largest float32 overflow inside of scikit-learn's own check of its input.
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
        try:
            estimator.fit(_as_float64(matrix), codes, **fit_arguments)
        except Exception as error:
            if not _is_of_estimator(error):
                raise
            raise ConfigError(f"model.estimator: {model.name} cannot be fitted: {str(error).strip()}") from error
    return Classifier(
        schema=schema,
        encoder=encoder,
        estimator=estimator,
        calibration=Calibration(),
        threshold=0.5 if schema.target.is_binary else None,
    )


def _is_of_estimator(error: Exception) -> bool:
    """Return whether arguments or rows caused `error`: native libraries raise errors of their own classes."""
    return isinstance(error, ValueError | TypeError) or type(error).__module__.split(".")[0] in ALLOWED_PACKAGES


def _refuse_infinities(frame: pd.DataFrame, schema: Schema) -> None:
    for column in schema.features:
        if column.kind != "float" or column.name not in frame:
            continue
        try:
            infinite = np.isinf(frame[column.name].to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError):
            continue  # the encoder names values that are no numbers
        if infinite.any():
            raise DataError(
                f"{column.name}: row {int(np.flatnonzero(infinite)[0])} is infinite ({int(infinite.sum())} in all);"
                " expected finite numbers: write a missing value, or a number, in their place"
            )


def _as_float64(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the same numbers as float64: estimators compute in the precision of their input."""
    return matrix.astype(np.float64)


@dataclass(frozen=True, slots=True)
class _WeightedEstimator:
    """An unfitted estimator, and whether the weights of classes must be given to it row by row."""

    estimator: Any
    needs_row_weights: bool


def _build_weighted(
    model: ModelConfig, *, seed: int, class_weight: str | None, has_weights: bool
) -> _WeightedEstimator:
    """Return the estimator of `model`, which balances the classes itself or takes row weights."""
    from sklearn.utils.validation import has_fit_parameter

    estimator = build_estimator(model, seed=seed, class_weight=class_weight)
    if has_weights and not has_fit_parameter(estimator, "sample_weight"):
        raise ConfigError(
            f"model.estimator: {model.name} does not support weights of rows; choose another model, give the"
            " column with the role weight the role ignore, or write fairness.mitigation.kind: none in place of reweigh"
        )
    if class_weight is None or supports_class_weight(estimator):
        return _WeightedEstimator(estimator, needs_row_weights=False)
    estimator = build_estimator(model, seed=seed)
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ConfigError(
            f"training.class_weight: {model.name} does not support weights; set it to null or choose another model"
        )
    return _WeightedEstimator(estimator, needs_row_weights=True)


def _product(weights: NDArray[np.float64] | None, others: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Return the weights that two reasons give to each row; None stands for equal weights."""
    if weights is None or others is None:
        return others if weights is None else weights
    return weights * others


def _balanced_row_weights(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return row weights that give every class the same sum."""
    counts = np.bincount(codes).astype(np.float64)
    weight = len(codes) / ((counts > 0).sum() * np.maximum(counts, 1.0))
    return np.asarray(weight[codes])
