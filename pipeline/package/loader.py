"""Load a package after all its checksums are verified; pickle is never read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import IntegrityError
from pipeline.fairness import GroupThresholds
from pipeline.files import parse_yaml
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.classifier import Classifier, predicted_classes
from pipeline.modeling.encoding import Encoder
from pipeline.modeling.feature_input import read_features
from pipeline.modeling.row_importance import RowImportance
from pipeline.package import skops_file
from pipeline.package.classifier_protocol import ClassifierProtocol
from pipeline.package.golden_check import check_golden, check_golden_classes
from pipeline.package.manifest import MITIGATION_FILE, Manifest, verify_files, verify_package
from pipeline.package.onnx_model import OnnxModel
from pipeline.package.reference import Reference
from pipeline.package.rule_baseline import RULE_FILE, rule_baseline_from_dict
from pipeline.package.train_row_filter import TRAIN_ROWS_FILE, TrainRowFilter
from pipeline.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Threshold

__all__ = ["Package", "load_package", "load_rule_baseline"]


@dataclass(frozen=True, slots=True, repr=False)
class Package(ClassifierProtocol):
    """A loaded package: a scikit-learn classifier, which predicts by ONNX where the package has it.

    `golden_rows` is the content of golden.json: columns of rows with their probabilities and classes.
    `train_rows` recognizes the rows that it learned from, and `importance` is that of the features on test rows; both
    are None for a rule baseline, which no gate compares. `mitigation` is what training did for groups, and its effect.
    """

    manifest: Manifest
    schema: Schema
    reference: Reference
    metrics: dict[str, Any]
    lineage: dict[str, Any]
    card: str
    serving_classifier: Classifier
    skops_bytes: bytes
    golden_rows: dict[str, Any]
    train_rows: TrainRowFilter | None = None
    importance: RowImportance | None = None
    mitigation: dict[str, Any] | None = None

    def __repr__(self) -> str:
        """Return one line: a package holds files of a megabyte, which a notebook would print."""
        served = "ONNX" if self.onnx_used else "scikit-learn"
        classes = ", ".join(self.classes)
        return (
            f"<Package {self.digest[:12]}: {self.manifest.model} of {self.manifest.name},"
            f" {self.n_features_in_} features, classes {classes}, predicts by {served}>"
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which identifies the content of the package."""
        return self.manifest.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probability columns."""
        return self.schema.target.classes

    @property
    def threshold(self) -> float | None:
        """Lowest probability that is predicted as positive; None where there are more than two classes."""
        return self.serving_classifier.threshold

    @property
    def has_group_thresholds(self) -> bool:
        """Whether the threshold of a row depends on its group."""
        return self.serving_classifier.group_thresholds is not None

    def row_thresholds(self, rows: Any) -> Threshold:
        """Return the threshold of all rows, or of each where groups have their own, shape (n_rows,)."""
        if not self.has_group_thresholds:
            return self.threshold
        return self.serving_classifier.row_thresholds(read_features(rows, self.schema))

    @property
    def onnx_used(self) -> bool:
        """Whether predictions come from ONNX."""
        return isinstance(self.serving_classifier.estimator, OnnxModel)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return probabilities, shape (n_rows, n_classes), in the order of `classes`.

        Parameters
        ----------
        X : frame of any library, mapping of column names to plain values, or list of mappings
            See `pipeline.schema.frame_input.as_frame`. None, NA and NaN are missing values. Other columns are ignored,
            and a nullable feature that is absent is missing in each row.

        Raises
        ------
        DataError
            When a feature that is not nullable is absent, or values are of another kind.
        UnsupportedFrame
            When `X` has no names of columns.
        """
        return self.serving_classifier.predict_proba(read_features(X, self.schema))

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Return the predicted class of each row; raises as `predict_proba` does."""
        rows = read_features(X, self.schema)
        classifier = self.serving_classifier
        thresholds = classifier.row_thresholds(rows)
        return predicted_classes(classifier.predict_proba(rows), self.schema.target, thresholds)

    def sklearn_classifier(self) -> Package:
        """Return this package with the estimator of its skops file, which predicts in place of ONNX."""
        if not self.manifest.onnx.used:
            return self
        estimator = skops_file.load_estimator(self.skops_bytes)
        return replace(self, serving_classifier=replace(self.serving_classifier, estimator=estimator))

    def with_sorted_classes(self) -> Package:
        """Return this package with classes, and columns of probabilities, in sorted order, as scikit-learn expects."""
        order = tuple(sorted(range(len(self.classes)), key=self.classes.__getitem__))
        target = replace(self.schema.target, classes=tuple(self.classes[code] for code in order))
        fields = {field.name: getattr(self.serving_classifier, field.name) for field in dataclass_fields(Classifier)}
        classifier = _ReorderedClassifier(**fields, order=order)
        return replace(self, schema=replace(self.schema, target=target), serving_classifier=classifier)


@dataclass(frozen=True, slots=True)
class _ReorderedClassifier(Classifier):
    """A classifier whose columns of probabilities are put into another order."""

    order: tuple[int, ...] = ()

    def predict_proba(self, frame: pd.DataFrame | Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return probabilities in the order of the sorted classes."""
        return Classifier.predict_proba(self, frame)[:, self.order]


def load_package(path: Path) -> Package:
    """Return the package in a folder.

    Checks run in this order: manifest, sizes and digests; form and types of the skops file; ONNX model; golden
    rows. No object is built before all bytes are verified, and only types on our own list are built.

    Raises
    ------
    IntegrityError
        When any part differs from what was written.
    """
    manifest, contents = verify_package(path)
    skops_file.check_skops_file(contents["model.skops"])
    try:
        schema = Schema.from_dict(parse_yaml(contents["schema.yaml"]))
        plain = {name: json.loads(data) for name, data in contents.items() if name.endswith(".json")}
        decision = plain["decision.json"]
        decision_steps = _decision_steps(decision)
        card = contents["card.md"].decode()
        golden = plain["golden.json"]
        known_classes = decision["known_classes"]
    except (KeyError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(f"{path}: contains an invalid file ({error}); restore the package") from error
    encoder = Encoder.from_dict(plain["encoder.json"])
    estimator = (
        OnnxModel(contents["model.onnx"], known_classes)
        if manifest.onnx.used
        else skops_file.load_estimator(contents["model.skops"])
    )
    classifier = Classifier(schema=schema, encoder=encoder, estimator=estimator, **decision_steps)
    check_golden(golden, classifier.predict_proba)
    check_golden_classes(golden, classifier)
    reference = Reference.from_dict(plain["reference.json"])
    metrics, lineage = plain["metrics.json"], plain["lineage.json"]
    return Package(
        manifest=manifest,
        schema=schema,
        reference=reference,
        metrics=metrics,
        lineage=lineage,
        card=card,
        serving_classifier=classifier,
        skops_bytes=contents["model.skops"],
        golden_rows=golden,
        train_rows=TrainRowFilter.from_dict(plain[TRAIN_ROWS_FILE]),
        importance=RowImportance.from_dict(plain["importance.json"]),
        mitigation=plain.get(MITIGATION_FILE),
    )


def _decision_steps(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps after the estimator, as fields of `Classifier`."""
    by_group = decision["group_thresholds"]
    return {
        "calibration": Calibration.from_dict(decision["calibration"]),
        "threshold": decision["threshold"],
        "group_thresholds": None if by_group is None else GroupThresholds.from_dict(by_group),
    }


def load_rule_baseline(path: Path) -> Package:
    """Return the rule baseline of a package as a package, from the few files that it needs.

    The model, metrics and card of the package are not read: `skops_bytes`, `metrics` and `lineage` are empty.

    Raises
    ------
    IntegrityError
        When one of these files is damaged, or the package has no rule baseline.
    """
    manifest, contents = verify_files(path, (RULE_FILE, "reference.json", "schema.yaml"))
    try:
        schema = Schema.from_dict(parse_yaml(contents["schema.yaml"]))
        plain = json.loads(contents[RULE_FILE])
        reference = Reference.from_dict(json.loads(contents["reference.json"]))
    except (KeyError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(f"{path}: contains an invalid file ({error}); restore the package") from error
    classifier = rule_baseline_from_dict(plain, schema)
    card = "The rule baseline of this package: a decision tree of depth 2. It serves because no model could be loaded."
    return Package(
        manifest=manifest,
        schema=schema,
        reference=reference,
        metrics={},
        lineage={},
        card=card,
        serving_classifier=classifier,
        skops_bytes=b"",
        golden_rows=plain["golden"],
    )
