"""Read a package back, after every byte of it was found to be as written; never by pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import IntegrityError
from pipeline.modeling.calibration import Calibration
from pipeline.modeling.classifier import Classifier, predicted_classes
from pipeline.modeling.encoder import Encoder
from pipeline.package import skops_file
from pipeline.package.golden import check_golden
from pipeline.package.manifest import Manifest, verify_files, verify_package
from pipeline.package.onnx_file import OnnxModel
from pipeline.package.reference import Reference
from pipeline.package.rule_baseline import RULE_FILE, rule_baseline_from_dict
from pipeline.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Package", "load_package", "load_rule_baseline"]


@dataclass(frozen=True, slots=True)
class Package:
    """A loaded package: rows in, probabilities out, by ONNX where it has it.

    `golden` are the rows of golden.json as columns, with the probabilities and classes that belong to them.
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

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: the name of exactly this content."""
        return self.manifest.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probability columns."""
        return self.schema.target.classes

    @property
    def threshold(self) -> float | None:
        """Lowest probability that is called positive; None where there are more than two classes."""
        return self.serving_classifier.threshold

    @property
    def onnx_used(self) -> bool:
        """Whether predictions come from ONNX."""
        return self.manifest.onnx.used

    def predict_proba(self, rows: pd.DataFrame | Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
        """Return probabilities, shape (n_rows, n_classes), in the order of `classes`.

        Parameters
        ----------
        rows : DataFrame, or mapping of column names to plain values
            None, NA and NaN are missing values. Columns beyond the features are not looked at.

        Raises
        ------
        DataError
            When a feature is not there or cannot be read as its kind.
        """
        return self.serving_classifier.predict_proba(rows)

    def predict(self, rows: pd.DataFrame | Mapping[str, Sequence[Any]]) -> NDArray[np.str_]:
        """Return the predicted class of each row."""
        return predicted_classes(self.predict_proba(rows), self.schema.target, self.threshold)

    def sklearn_classifier(self) -> Classifier:
        """Return the scikit-learn form, built from the skops file."""
        if not self.onnx_used:
            return self.serving_classifier
        return _with_sklearn_estimator(self.serving_classifier, self.skops_bytes)


def load_package(path: Path) -> Package:
    """Return the package in a folder.

    First the manifest and every size and digest, then the form of the skops file and each type in it,
    then the ONNX model, then the golden rows. Nothing is built before all bytes are known to be those
    that were written, and no type that our own list does not name.

    Raises
    ------
    IntegrityError
        When anything is not as it was written.
    """
    manifest, contents = verify_package(path)
    skops_file.check_skops_file(contents["model.skops"])
    try:
        schema = Schema.from_dict(yaml.safe_load(contents["schema.yaml"]))
        plain = {name: json.loads(data) for name, data in contents.items() if name.endswith(".json")}
        decision = plain["decision.json"]
        calibration, threshold = Calibration.from_dict(decision["calibration"]), decision["threshold"]
        card = contents["card.md"].decode()
        golden = plain["golden.json"]
        known_classes = decision["known_classes"]
    except (KeyError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(f"{path}: holds a file that no package writes ({error})") from error
    encoder = Encoder.from_dict(plain["encoder.json"])
    estimator = (
        OnnxModel(contents["model.onnx"], known_classes)
        if manifest.onnx.used
        else skops_file.load(contents["model.skops"])
    )
    classifier = Classifier(
        schema=schema, encoder=encoder, estimator=estimator, calibration=calibration, threshold=threshold
    )
    check_golden(golden, classifier.predict_proba)
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
    )


def load_rule_baseline(path: Path) -> Package:
    """Return the rule baseline of a package in its place, from the few files that it needs.

    The package's own model, figures and card are not there: `stored` is empty and `metrics` and `lineage` hold nothing.

    Raises
    ------
    IntegrityError
        When one of these files is not as it was written, or the package was written without a rule.
    """
    manifest, contents = verify_files(path, (RULE_FILE, "reference.json", "schema.yaml"))
    try:
        schema = Schema.from_dict(yaml.safe_load(contents["schema.yaml"]))
        plain = json.loads(contents[RULE_FILE])
        reference = Reference.from_dict(json.loads(contents["reference.json"]))
    except (KeyError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(f"{path}: holds a file that no package writes ({error})") from error
    classifier = rule_baseline_from_dict(plain, schema)
    card = "The rule baseline of this package: a tree of two questions, because no model could be loaded."
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


def _with_sklearn_estimator(classifier: Classifier, skops_bytes: bytes) -> Classifier:
    return replace(classifier, estimator=skops_file.load(skops_bytes))
