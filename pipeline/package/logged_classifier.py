"""Predict by the files of a package alone; models in MLflow contain this module and those that it imports."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import yaml
from sklearn.base import BaseEstimator, ClassifierMixin

from pipeline.errors import IntegrityError, UnsupportedFrame, UsageError
from pipeline.fairness.group_thresholds import GroupThresholds
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.classifier import Classifier, predicted_classes
from pipeline.modeling.encoding import Encoder
from pipeline.modeling.feature_input import read_features
from pipeline.package import skops_file
from pipeline.package.golden_check import check_golden, check_golden_classes
from pipeline.package.onnx_model import OnnxModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.feature_input import Rows

__all__ = ["LoggedClassifier"]

_MANIFEST_FILE = "manifest.json"
_FILES = ("schema.yaml", "encoder.json", "decision.json", "golden.json")
_OUTPUTS = ("all", "prediction", "probabilities")


class LoggedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The classifier of a package in scikit-learn's form, which `mlflow.sklearn.load_model` returns.

    It is fitted and frozen: `clone` returns the same object, and `fit` raises. As in all classifiers of scikit-learn,
    `classes_` is sorted, and the columns of `predict_proba` follow it.

    Parameters
    ----------
    contents : mapping of str to bytes
        manifest.json and the files of the package that `file_names` lists.

    Raises
    ------
    IntegrityError
        When a file differs from the manifest, or the golden rows get other predictions.
    """

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents
        self._open()

    @staticmethod
    def file_names(*, has_onnx: bool) -> tuple[str, ...]:
        """Return the names of the files that predictions need."""
        return (_MANIFEST_FILE, *_FILES, "model.onnx" if has_onnx else "model.skops")

    def _open(self) -> None:
        _verify(self.contents)
        plain = {name: json.loads(data) for name, data in self.contents.items() if name.endswith(".json")}
        self._schema = _read_schema(self.contents["schema.yaml"])
        self._classifier = _build_classifier(self.contents, plain, self._schema)
        check_golden(plain["golden.json"], self._classifier.predict_proba)
        check_golden_classes(plain["golden.json"], self._classifier)
        self.feature_names_in_ = np.array(self._schema.feature_names, dtype=object)
        self.n_features_in_ = len(self._schema.features)
        self.classes_ = np.array(sorted(self._classifier.classes))
        self._order = [self._classifier.classes.index(name) for name in self.classes_]

    def __getstate__(self) -> dict[str, Any]:
        return {"contents": dict(self.contents)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.contents = state["contents"]
        self._open()

    def __repr__(self) -> str:
        digest = hashlib.sha256(self.contents[_MANIFEST_FILE]).hexdigest()
        return f"LoggedClassifier(package {digest[:12]}, {self.n_features_in_} features, classes {self.classes_})"

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        return self

    def fit(self, X: Any, y: Any) -> Self:
        """Raise: the classifier is frozen.

        Raises
        ------
        UsageError
            Always.
        """
        del X, y
        raise UsageError("fit: this classifier comes from a finished package and is frozen; train by `dvc repro`")

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the class of each row, by the threshold of the package."""
        rows = self._rows(X)
        return self._predicted(rows, self._classifier.predict_proba(rows))

    def predict_proba(self, X: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return probabilities, shape (n_rows, n_classes), in the order of `classes_`.

        Parameters
        ----------
        X : any form that `read_features` accepts, or array with one column for each of `feature_names_in_`
            None, NA and NaN are missing values, and so is an absent column that may have them.
        params : mapping, optional
            Parameters of an MLflow request. MLflow's scikit-learn flavor passes them to a method of scikit-learn
            only, so this one returns a frame where they are given: the column `prediction` and one for each
            class in the declared order. `output` selects `all`, `prediction` or `probabilities`.

        Raises
        ------
        UsageError
            When `output` has another value.
        DataError
            When `read_features` refuses the columns, or a value cannot be converted to its kind.
        UnsupportedFrame
            When an array has another shape, or `X` has no names of columns.
        """
        rows = self._rows(X)
        probabilities = self._classifier.predict_proba(rows)
        if params is None:
            return probabilities[:, self._order]
        return self._as_frame(rows, probabilities, output=params.get("output", "all"))

    def _as_frame(self, rows: Rows, probabilities: NDArray[np.float64], *, output: str) -> pd.DataFrame:
        import pandas as pd

        if output not in _OUTPUTS:
            raise UsageError(f"params: output is {output!r}; expected one of {', '.join(_OUTPUTS)}")
        columns: dict[str, Any] = {}
        if output != "probabilities":
            columns["prediction"] = self._predicted(rows, probabilities)
        if output != "prediction":
            columns |= {name: probabilities[:, at] for at, name in enumerate(self._classifier.classes)}
        return pd.DataFrame(columns, index=getattr(rows, "index", None))

    def _predicted(self, rows: Rows, probabilities: NDArray[np.float64]) -> NDArray[np.str_]:
        thresholds = self._classifier.row_thresholds(rows)
        return predicted_classes(probabilities, self._classifier.schema.target, thresholds)

    def _rows(self, rows: Any) -> Rows:
        """Return the features of rows by the rule of every loaded package; columns of an array have no names."""
        if isinstance(rows, np.ndarray) and rows.dtype.names is None:
            import pandas as pd

            if rows.ndim != 2 or rows.shape[1] != self.n_features_in_:
                names = ", ".join(self.feature_names_in_)
                raise UnsupportedFrame(f"X: found an array of the shape {rows.shape}; expected the columns {names}")
            rows = pd.DataFrame(rows, columns=self.feature_names_in_)
        return read_features(rows, cast("Any", self._schema))


@dataclass(frozen=True, slots=True)
class _Target:
    """The target as `Classifier` reads it; the whole declaration would need the validation of data."""

    classes: tuple[str, ...]
    positive: str | None


@dataclass(frozen=True, slots=True)
class _Feature:
    """A feature as `read_features` reads it."""

    name: str
    kind: str
    nullable: bool
    is_private: bool

    @property
    def expected(self) -> str:
        return f"values of the kind {self.kind}"


@dataclass(frozen=True, slots=True)
class _Schema:
    features: tuple[_Feature, ...]
    target: _Target

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


def _read_schema(data: bytes) -> _Schema:
    declared = yaml.safe_load(data)
    features = tuple(
        _Feature(column["name"], column["kind"], nullable=column["nullable"], is_private=column["store"] != "full")
        for column in declared["columns"]
        if column["role"] == "feature"
    )
    return _Schema(features, _Target(tuple(declared["target"]["classes"]), declared["target"]["positive"]))


def _verify(contents: Mapping[str, bytes]) -> None:
    listed = json.loads(contents[_MANIFEST_FILE])["files"]
    for name, data in contents.items():
        if name != _MANIFEST_FILE and hashlib.sha256(data).hexdigest() != listed[name]["sha256"]:
            raise IntegrityError(f"{name}: checksum mismatch; log the package again")


def _build_classifier(contents: Mapping[str, bytes], plain: Mapping[str, Any], schema: _Schema) -> Classifier:
    decision = plain["decision.json"]
    groups = decision["group_thresholds"]
    onnx = contents.get("model.onnx")
    return Classifier(
        schema=cast("Any", schema),
        encoder=Encoder.from_dict(plain["encoder.json"]),
        estimator=skops_file.load_estimator(contents["model.skops"])
        if onnx is None
        else OnnxModel(onnx, decision["known_classes"]),
        calibration=Calibration.from_dict(decision["calibration"]),
        threshold=decision["threshold"],
        group_thresholds=None if groups is None else GroupThresholds.from_dict(groups),
    )
