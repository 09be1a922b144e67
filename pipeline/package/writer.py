"""Write a fitted classifier as a package: a folder that is all a server needs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import files
from pipeline.errors import DataError, IntegrityError
from pipeline.modeling.classifier import encode_target, predicted_classes
from pipeline.modeling.row_importance import measure_row_importance
from pipeline.package import skops_file
from pipeline.package.golden import make_golden_rows
from pipeline.package.manifest import (
    MANIFEST_FILE,
    MITIGATION_FILE,
    REQUIRED_FILES,
    FileEntry,
    Manifest,
    OnnxProof,
    list_files,
)
from pipeline.package.onnx_file import NotConvertible, convert_to_onnx
from pipeline.package.onnx_model import OnnxModel
from pipeline.package.package_card import package_card
from pipeline.package.parity import TOLERANCE, check_onnx_parity, onnx_classifier
from pipeline.package.reference import build_reference
from pipeline.package.rule_baseline import RULE_FILE, fit_rule_baseline
from pipeline.package.train_row_filter import TRAIN_ROWS_FILE, build_train_row_filter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.training_config import TrainingConfig
    from pipeline.modeling.classifier import Classifier
    from pipeline.schema import Schema
    from pipeline.schema.feature_hash import HashSplit

__all__ = ["write_package"]

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "skops")
_IMPORTANCE_SEED = 0


def write_package(  # noqa: PLR0913 - a package has this many parts, all passed by name
    path: Path,
    classifier: Classifier,
    *,
    train: pd.DataFrame,
    test: pd.DataFrame,
    scores: NDArray[np.float64],
    metrics: Mapping[str, Any],
    lineage: Mapping[str, Any],
    training: TrainingConfig,
    model: str,
    split: HashSplit | None = None,
    mitigation: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write the package of `classifier` to `path`, atomically; equal inputs give equal bytes.

    Parameters
    ----------
    path : Path
        Folder to write; an existing one is replaced at the end.
    classifier : Classifier
        Fitted, calibrated, with its threshold.
    train : DataFrame
        The rows that it was fitted to; they become the drift reference.
    test : DataFrame
        Rows with the target that it was not fitted to. On them the ONNX form must agree with scikit-learn, and the
        importance of features is measured.
    scores : float, shape (len(train), n_classes)
        Out-of-fold probabilities of the rows of `train`.
    metrics : mapping of str to number or None
        Cross-validated metrics.
    lineage : mapping of str to plain values
        Hashes of data and settings, as `training_lineage` returns them.
    training : TrainingConfig
        `golden_rows` and `reference_bins` are read.
    model : str
        Name of the model in conf/model/.
    split : HashSplit, optional
        The rule that chose the rows of `train`; None for another splitter.
    mitigation : mapping, optional
        What training did for groups, and its effect, as `train_with_mitigation` returns it.

    Raises
    ------
    ConfigError
        When the estimator cannot be stored without pickle.
    DataError
        When `scores` do not belong to `train`.
    DependencyUnavailable
        When the disk is full; the old folder at `path` is unchanged.
    """
    if scores.shape != (len(train), len(classifier.classes)):
        raise DataError(f"scores: shape {scores.shape} where {len(train)} rows have {len(classifier.classes)} classes")
    onnx, proof = _convert_if_equal(classifier, test)
    plain = {
        **_model_files(classifier),
        "lineage.json": dict(lineage),
        "metrics.json": dict(metrics),
        **_train_row_files(train, classifier.schema, split),
        **_monitoring_files(classifier, onnx, (train, test), scores=scores, training=training),
        **({} if mitigation is None else {MITIGATION_FILE: dict(mitigation)}),
    }
    contents = {name: files.canonical_json(value).encode() for name, value in plain.items()}
    contents["card.md"] = package_card(
        classifier, model, proof, n_rows=len(train), metrics=metrics, lineage=lineage
    ).encode()
    contents |= {"schema.yaml": _schema_yaml(classifier).encode(), **_estimator_files(classifier, onnx)}
    with files.atomic_folder(path) as folder:
        manifest = Manifest.create(
            classifier.schema.name,
            model,
            listed=_write_files(folder, contents),
            onnx=proof,
            libraries={library: version(library) for library in _LIBRARIES},
        )
        (folder / MANIFEST_FILE).write_bytes(files.canonical_json(manifest.as_dict()).encode())
    return manifest


def _train_row_files(train: pd.DataFrame, schema: Schema, split: HashSplit | None) -> dict[str, Any]:
    """Return the files that training rows give without the model: the rule baseline and the filter of known rows."""
    return {
        RULE_FILE: fit_rule_baseline(train, schema),
        TRAIN_ROWS_FILE: build_train_row_filter(train, schema, split).as_dict(),
    }


def _estimator_files(classifier: Classifier, onnx: bytes | None) -> dict[str, bytes]:
    skops = {"model.skops": skops_file.dump_estimator(classifier.estimator)}
    return skops if onnx is None else {**skops, "model.onnx": onnx}


def _schema_yaml(classifier: Classifier) -> str:
    text: str = yaml.safe_dump(classifier.schema.as_dict(), sort_keys=False, allow_unicode=True, width=120)
    return text


def _model_files(classifier: Classifier) -> dict[str, Any]:
    """Return the files of the steps before and after the estimator: encoder, calibration and threshold."""
    decision = {
        "calibration": classifier.calibration.as_dict(),
        "group_thresholds": None if classifier.group_thresholds is None else classifier.group_thresholds.as_dict(),
        "known_classes": _known_classes(classifier),
        "threshold": classifier.threshold,
    }
    return {"decision.json": decision, "encoder.json": classifier.encoder.as_dict()}


def _monitoring_files(
    classifier: Classifier,
    onnx: bytes | None,
    parts: tuple[pd.DataFrame, pd.DataFrame],
    *,
    scores: NDArray[np.float64],
    training: TrainingConfig,
) -> dict[str, Any]:
    """Return the files for monitoring: the reference of rows, scores and importance, and the golden rows."""
    (train, test), target = parts, classifier.schema.target
    serving_classifier = (
        classifier if onnx is None else onnx_classifier(classifier, OnnxModel(onnx, _known_classes(classifier)))
    )
    score = scores.max(axis=1) if target.positive is None else scores[:, target.classes.index(target.positive)]
    predicted = predicted_classes(scores, target, classifier.row_thresholds(train))
    bins = training.reference_bins
    reference = build_reference(
        train, classifier.schema, score=score, predicted=predicted, n_bins=bins, threshold=classifier.threshold
    )
    golden = make_golden_rows(serving_classifier, train, n_rows=training.golden_rows)
    importance = measure_row_importance(serving_classifier, test, encode_target(test, target), seed=_IMPORTANCE_SEED)
    return {"golden.json": golden, "importance.json": importance.as_dict(), "reference.json": reference.as_dict()}


def _known_classes(classifier: Classifier) -> list[int]:
    """Return the codes of the classes in the estimator's train rows."""
    return [int(code) for code in classifier.estimator.classes_]


def _write_files(folder: Path, contents: dict[str, bytes]) -> dict[str, FileEntry]:
    if set(REQUIRED_FILES) - set(contents):
        raise AssertionError(f"a package needs {REQUIRED_FILES}")
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return list_files(folder, contents)


def _convert_if_equal(classifier: Classifier, rows: pd.DataFrame) -> tuple[bytes | None, OnnxProof]:
    """Return the ONNX form and its proof; None where there is none or its predictions differ."""
    try:
        data = convert_to_onnx(classifier.estimator, len(classifier.encoder.feature_names_out_))
        onnx = OnnxModel(data, _known_classes(classifier))
    except (NotConvertible, IntegrityError) as reason:
        return None, OnnxProof(used=False, rows=0, tolerance=TOLERANCE, reason=str(reason))
    proof = check_onnx_parity(classifier, onnx, rows)
    return (data if proof.used else None), proof
