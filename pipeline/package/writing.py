"""Write a fitted classifier as a folder from which serving needs nothing else."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from pipeline import files
from pipeline.classifier import decide
from pipeline.errors import DataError
from pipeline.package import skops_file
from pipeline.package.card import model_card
from pipeline.package.golden import golden_rows
from pipeline.package.manifest import MANIFEST, REQUIRED, Manifest, OnnxProof, list_files
from pipeline.package.onnx_file import NotConvertible, OnnxModel, convert
from pipeline.package.parity import TOLERANCE, onnx_classifier, prove
from pipeline.package.reference import describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.classifier import Classifier
    from pipeline.config.groups.learning import TrainingConfig

__all__ = ["write"]

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "skops")


def write(
    path: Path,
    classifier: Classifier,
    *,
    train: pd.DataFrame,
    parity: pd.DataFrame,
    scores: NDArray[np.float64],
    metrics: Mapping[str, Any],
    lineage: Mapping[str, Any],
    training: TrainingConfig,
    card: str | None = None,
    model: str | None = None,
) -> Manifest:
    """Write the package of `classifier` to `path`, whole or not at all; equal inputs give equal bytes.

    Parameters
    ----------
    path : Path
        Folder to write; what stood there is replaced at the end.
    classifier : Classifier
        Fitted, calibrated, with its threshold.
    train : DataFrame
        The rows that it was fitted to; they become the drift reference.
    parity : DataFrame
        Rows on which the ONNX form must agree with scikit-learn, such as the test split.
    scores : float, shape (len(train), n_classes)
        Out-of-fold probabilities of the rows of `train`.
    metrics : mapping of str to number or None
        Cross-validated figures.
    lineage : mapping of str to plain values
        What the model was made from, by content: hashes of data, params and code.
    training : TrainingConfig
        `golden_rows` and `reference_bins` are read.
    card : str or None
        The model card; None writes one from the figures at hand.
    model : str or None
        Name of the model file; None takes the name of the estimator's class.

    Raises
    ------
    ConfigError
        When the estimator cannot be stored without pickle.
    DataError
        When `scores` do not belong to `train`.
    DependencyUnavailable
        When the disk is full; whatever stood at `path` is still there.
    """
    if scores.shape != (len(train), len(classifier.classes)):
        raise DataError(f"scores: shape {scores.shape} where {len(train)} rows have {len(classifier.classes)} classes")
    name = model if model is not None else type(classifier.estimator).__name__
    onnx, proof = _onnx(classifier, parity)
    served = classifier if onnx is None else onnx_classifier(classifier, OnnxModel(onnx))
    manifest = Manifest(classifier.schema.name, name, {}, proof, {one: version(one) for one in _LIBRARIES})
    decision = {"calibration": classifier.calibration.as_dict(), "threshold": classifier.threshold}
    target = classifier.schema.target
    score = scores.max(axis=1) if target.positive is None else scores[:, target.classes.index(target.positive)]
    reference = describe(
        train,
        classifier.schema,
        score=score,
        predicted=decide(scores, target, classifier.threshold),
        n_bins=training.reference_bins,
    )
    texts = {
        "card.md": card if card is not None else model_card(classifier, manifest, reference, metrics, lineage),
        "decision.json": files.canonical_json(decision),
        "encoder.json": files.canonical_json(classifier.encoder.as_dict()),
        "golden.json": files.canonical_json(golden_rows(served, train, score, training.golden_rows)),
        "lineage.json": files.canonical_json(dict(lineage)),
        "metrics.json": files.canonical_json(dict(metrics)),
        "reference.json": files.canonical_json(reference.as_dict()),
        "schema.yaml": yaml.safe_dump(classifier.schema.as_dict(), sort_keys=False, allow_unicode=True, width=120),
    }
    contents = {name: text.encode() for name, text in texts.items()}
    contents["model.skops"] = skops_file.dump(classifier.estimator)
    if onnx is not None:
        contents["model.onnx"] = onnx
    return _write(path, manifest, contents)


def _write(path: Path, manifest: Manifest, contents: dict[str, bytes]) -> Manifest:
    if set(REQUIRED) - set(contents):
        raise AssertionError(f"a package needs {REQUIRED}")
    with files.new_folder(path) as folder:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        complete = replace(manifest, files=list_files(folder, contents))
        data = files.canonical_json(complete.as_dict()).encode()
        (folder / MANIFEST).write_bytes(data)
    return replace(complete, digest=files.sha256(data))


def _onnx(classifier: Classifier, rows: pd.DataFrame) -> tuple[bytes | None, OnnxProof]:
    """Return the ONNX form and its proof; None where there is none or where it answers otherwise."""
    try:
        data = convert(classifier.estimator, len(classifier.encoder.names_out_))
    except NotConvertible as reason:
        return None, OnnxProof(used=False, rows=0, tolerance=TOLERANCE, reason=str(reason))
    proof = prove(classifier, OnnxModel(data), rows)
    return (data if proof.used else None), proof
