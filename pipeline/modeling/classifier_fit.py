"""Fit a classifier to the declared columns of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.classifier import Classifier, encode_target
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.estimators import allowed_packages, build_estimator, supports_class_weight
from pipeline.modeling.row_weights import row_weights

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.modeling.mitigation import Mitigation
    from pipeline.schema import Schema

__all__ = ["fit_classifier"]


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
            estimator.fit(matrix.astype(np.float64), codes, **fit_arguments)
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
    return isinstance(error, ValueError | TypeError) or type(error).__module__.split(".")[0] in allowed_packages()


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
