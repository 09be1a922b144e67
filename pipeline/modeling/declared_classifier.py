"""An unfitted scikit-learn classifier whose `fit` is the declared training: encoder, folds, calibration, threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from pipeline.errors import DataError
from pipeline.modeling.classifier import predicted_codes
from pipeline.modeling.feature_input import read_features
from pipeline.modeling.training import train_classifier
from pipeline.schema import Schema, Target
from pipeline.schema.frame_input import as_frame, as_labels, is_arrow_data
from pipeline.schema.frame_schema import infer_feature_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.config.groups.training_config import TrainingConfig
    from pipeline.modeling.classifier import Classifier

__all__ = ["DeclaredClassifier"]


class DeclaredClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Train as the declared training does; what `clone` of a package returns.

    Parameters
    ----------
    features, model, training : sections of the configuration
    schema : Schema, optional
        The declared columns; inferred from the rows by default, which may then be an array of numbers.
    fairness : FairnessConfig, optional
        With the mitigation that is part of the training.
    seed : int
        Seed of folds and estimators.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        Labels in sorted order, which is the order of the probability columns.
    classifier_ : Classifier
        Fitted to all rows, calibrated, with its threshold.
    """

    def __init__(
        self,
        features: FeaturesConfig,
        model: ModelConfig,
        training: TrainingConfig,
        *,
        schema: Schema | None = None,
        fairness: FairnessConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.model = model
        self.training = training
        self.schema = schema
        self.fairness = fairness
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows and their labels.

        Raises
        ------
        DataError
            When rows do not match the schema, or a class has fewer rows than there are folds.
        ConfigError
            When the estimator cannot be built or fitted.
        ValueError
            When `y` has one class, or another length than `X`, or `X` is an array that scikit-learn refuses.
        """
        frame = self._read(X, reset=True)
        labels = self._read_labels(y)
        check_consistent_length(frame, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}, in {len(labels)} rows; expected at least two")
        schema = self._fitted_schema(frame)
        names = np.array([str(label) for label in self.classes_], dtype=object)
        rows = pd.DataFrame(read_features(frame, schema))
        rows = rows.assign(**{schema.target.column: pd.array(names[codes], dtype="string")})
        result = train_classifier(
            rows,
            schema,
            self.features,
            model=self.model,
            training=self.training,
            seed=self.seed,
            fairness=self.fairness,
        )
        self.classifier_: Classifier = result.classifier
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_rows, n_classes), in the order of `classes_`."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(read_features(self._read(X), self.classifier_.schema))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predicted label of each row, by the threshold of the training."""
        check_is_fitted(self)
        rows = read_features(self._read(X), self.classifier_.schema)
        threshold = self.classifier_.row_thresholds(rows)
        codes = predicted_codes(self.classifier_.predict_proba(rows), self.classifier_.schema.target, threshold)
        return np.asarray(self.classes_[codes])

    def __sklearn_tags__(self) -> Any:
        """Return the tags of a classifier of frames with words and missing values."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _read(self, X: Any, *, reset: bool = False) -> pd.DataFrame:
        """Return the rows as a frame; arrays go through scikit-learn's own checks, and their columns are numbered."""
        if self.schema is not None:
            if reset:
                self.feature_names_in_ = np.array(self.schema.feature_names, dtype=object)
                self.n_features_in_ = len(self.feature_names_in_)
            return as_frame(X, name="X")
        if isinstance(X, pd.DataFrame) or is_arrow_data(X):
            frame = as_frame(X, name="X")
            validate_data(self, frame, reset=reset, skip_check_array=True)
            return frame
        matrix = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan", dtype="numeric")
        return as_frame(matrix, name="X", takes_positions=True)

    def _read_labels(self, y: Any) -> NDArray[Any]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        values = as_labels(y).to_numpy() if is_arrow_data(y) else y
        if getattr(getattr(values, "dtype", None), "kind", "") == "f":
            assert_all_finite(values, input_name="y")
        check_classification_targets(values)
        return np.asarray(column_or_1d(values, warn=True))

    def _fitted_schema(self, frame: pd.DataFrame) -> Schema:
        """Return the declared schema, whose classes must contain the labels, or one inferred from the rows."""
        names = tuple(str(label) for label in self.classes_)
        if self.schema is None:
            target = "target" if "target" not in frame else f"target_{len(frame.columns)}"
            labeled = frame.assign(**{target: np.resize(np.array(names, dtype=object), len(frame))})
            inferred = infer_feature_schema(labeled, target=target, other=labeled)
            return replace(inferred, target=Target(target, names, names[-1] if len(names) == 2 else None))
        declared = self.schema.target
        unknown = sorted(set(names) - set(declared.classes))
        if unknown:
            raise DataError(
                f"y: found {', '.join(unknown)}; expected the classes {', '.join(declared.classes)} of"
                f" {declared.column}"
            )
        positive = declared.positive if declared.positive in names else None
        return replace(self.schema, target=replace(declared, classes=names, positive=positive))
