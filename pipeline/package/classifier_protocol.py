"""Make a loaded package a scikit-learn classifier, without importing scikit-learn before it is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import numpy as np
from pydantic import ValidationError

from pipeline.config.groups.fairness_config import FairnessConfig
from pipeline.config.groups.features_config import FeaturesConfig
from pipeline.config.groups.model_config import ModelConfig
from pipeline.config.groups.section import Section
from pipeline.config.groups.training_config import TrainingConfig
from pipeline.errors import ConfigError, UsageError
from pipeline.schema.frame_input import as_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.modeling.declared_classifier import DeclaredClassifier
    from pipeline.schema import Schema

__all__ = ["ClassifierProtocol"]

_Settings = TypeVar("_Settings", bound=Section)


class ClassifierProtocol:
    """What scikit-learn asks of a fitted classifier, for a class with `schema`, `lineage` and the predict methods.

    A package is frozen: `fit` and `set_params` refuse, and `clone` gives an unfitted classifier with the declared
    training.
    """

    __slots__ = ()

    schema: Schema
    lineage: dict[str, Any]
    _estimator_type = "classifier"  # what libraries read that are older than tags

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Classes in the order of the probability columns.

        Raises
        ------
        ConfigError
            When the declared order is not sorted: scikit-learn's scorers would take one column for another.
        """
        classes = self.schema.target.classes
        if tuple(sorted(classes)) != tuple(classes):
            raise ConfigError(
                f"data.target.classes: {', '.join(classes)} are not sorted, and scikit-learn expects the columns of"
                " probabilities in sorted order; use package.with_sorted_classes()"
            )
        return np.array(classes)

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of the features, in their declared order."""
        return np.array(self.schema.feature_names, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return len(self.schema.feature_names)

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the predicted class of each row."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; labels are compared as texts, as `classes_` are."""
        from sklearn.metrics import accuracy_score

        labels = as_labels(y).astype("string").to_numpy(dtype=object)
        return float(accuracy_score(labels, self.predict(X).astype(object), sample_weight=sample_weight))

    def fit(self, X: Any, y: Any = None, **options: Any) -> NoReturn:  # noqa: ARG002 - scikit-learn's API
        """Refuse: a package is a fitted model, named by its digest.

        Raises
        ------
        UsageError
            Always, with the two ways out.
        """
        raise UsageError(
            "a package is fitted and does not change; sklearn.base.clone(package).fit(X, y) trains again with the same"
            " settings, and sklearn.frozen.FrozenEstimator(package) stays as it is"
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's API
        """Return no parameters: none can change."""
        return {}

    def set_params(self, **params: Any) -> Self:
        """Refuse parameters.

        Raises
        ------
        UsageError
            When there is one.
        """
        if params:
            raise UsageError(
                f"a package has no parameters, found {', '.join(params)}; sklearn.base.clone(package) can be changed"
            )
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Return True."""
        return True

    def __sklearn_tags__(self) -> Any:
        """Return the tags of a classifier of frames with words and missing values."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_class=len(self.schema.target.classes) > 2),
            input_tags=InputTags(categorical=True, string=True, allow_nan=True),
        )

    def __sklearn_clone__(self) -> DeclaredClassifier:
        """Return an unfitted classifier with the declaration and the training of this one.

        Raises
        ------
        UsageError
            When the package does not record its training, as a rule baseline.
        """
        return _declared_classifier(self.schema, self.lineage)


def _declared_classifier(schema: Schema, lineage: Mapping[str, Any]) -> DeclaredClassifier:
    # It derives from scikit-learn's base class, which a server does not import.
    from pipeline.modeling.declared_classifier import DeclaredClassifier

    settings = _nested(lineage.get("settings", {}))
    try:
        training = {"n_jobs": 1, **settings["training"]}
        # Pairs of columns and the gate are no part of the training.
        fairness = {**settings["fairness"], "pairs": [], "gate": "report"} if "fairness" in settings else None
        return DeclaredClassifier(
            _parse(FeaturesConfig, settings["features"]),
            _parse(ModelConfig, settings["model"]),
            _parse(TrainingConfig, training),
            schema=schema,
            fairness=None if fairness is None else _parse(FairnessConfig, fairness),
            seed=int(lineage["seed"]),
        )
    except (KeyError, ValidationError) as error:
        raise UsageError(
            f"the package does not record a training that this version can repeat ({str(error).splitlines()[0]}); a"
            " clone is made of a package that a training wrote"
        ) from error


def _parse(kind: type[_Settings], values: Mapping[str, Any]) -> _Settings:
    return kind.model_validate_json(json.dumps(values))  # in JSON a list may be a tuple


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by group from those by key path."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *groups, key = path.split(".")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[key] = value
    return nested
