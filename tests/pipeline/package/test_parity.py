"""A model has an ONNX form with equal predictions, or the reason why not."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import package
from pipeline.errors import DependencyUnavailable
from pipeline.package.onnx_file import convert_to_onnx
from pipeline.package.onnx_model import OnnxModel
from pipeline.package.parity import TOLERANCE, check_onnx_parity, edge_case_rows
from tests.fixtures.proof import is_long
from tests.fixtures.small_packages import parts, train_small_model, unseen_rows, write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("heavy_computation")

MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
MUST_CONVERT = (
    "extra_trees",
    "hist_gradient_boosting",
    "logistic_regression",
    "mlp",
    "random_forest",
    "stacking",
    "voting",
)
N_ROWS = 600
PROBLEMS = {"personality": N_ROWS, "breast_cancer": 0, "wine": 0}
# Each kind of calibration and each number of classes for a linear model; the long proof has every pair for each model.
SHORT = {("personality", "isotonic"), ("wine", "sigmoid")}
CALIBRATED = [
    (model, data, kind)
    for model, data, kind in product(MUST_CONVERT, PROBLEMS, ("sigmoid", "isotonic"))
    if is_long() or (data, kind) == ("wine", "sigmoid") or (model == "logistic_regression" and (data, kind) in SHORT)
]
ENSEMBLE = ("model.estimator.estimators.forest.n_estimators=10", "model.estimator.estimators.boosting.max_iter=20")
SMALLER = {
    "random_forest": ("model.estimator.n_estimators=30",),
    "extra_trees": ("model.estimator.n_estimators=30",),
    "stacking": ENSEMBLE,
    "voting": ENSEMBLE,
}


@pytest.mark.parametrize("data", PROBLEMS if is_long() else ("personality", "wine"))  # two classes, and three
@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_an_onnx_form_or_the_reason_why_not(tmp_path: Path, model: str, data: str) -> None:
    try:
        manifest = write_small_package(
            tmp_path / "package", data, f"model={model}", *SMALLER.get(model, ()), n_rows=PROBLEMS[data]
        )
    except DependencyUnavailable as error:
        pytest.skip(str(error))
    assert (manifest.onnx.reason is None) == manifest.onnx.used
    assert manifest.onnx.used or model not in MUST_CONVERT, manifest.onnx.reason
    loaded = package.load_package(tmp_path / "package")
    rows = unseen_rows(data, PROBLEMS[data])
    difference = np.abs(loaded.predict_proba(rows) - loaded.sklearn_classifier().predict_proba(rows))
    assert difference.max() <= TOLERANCE
    assert (loaded.predict(rows) == loaded.sklearn_classifier().predict(rows)).all()


@pytest.mark.parametrize(("model", "data", "calibration"), CALIBRATED)
def test_a_calibrated_model_has_an_onnx_form(tmp_path: Path, model: str, data: str, calibration: str) -> None:
    overrides = (f"model={model}", f"training.calibration={calibration}", *SMALLER.get(model, ()))
    manifest = write_small_package(tmp_path / "package", data, *overrides, n_rows=PROBLEMS[data])
    assert manifest.onnx.used, manifest.onnx.reason
    assert package.load_package(tmp_path / "package").serving_classifier.calibration.kind == calibration


def test_edge_cases_are_compared_too() -> None:
    config, result = train_small_model("personality", "model=logistic_regression", n_rows=N_ROWS)
    schema = result.classifier.schema
    hard = edge_case_rows(parts("personality", N_ROWS).test, schema)
    for column in schema.features:
        assert hard[column.name].isna().any()
    category = next(feature for feature in schema.features if feature.kind == "category")
    assert set(hard[category.name].dropna()) > set(category.categories)
    assert hard[list(schema.feature_names)].isna().all(axis=1).any()
    assert config.model.name == "logistic_regression"


def test_an_onnx_form_with_other_predictions_is_not_used() -> None:
    _, result = train_small_model("personality", "model=logistic_regression", n_rows=N_ROWS)
    classifier = result.classifier
    other = train_small_model("personality", "model=logistic_regression", "model.estimator.C=0.001", n_rows=N_ROWS)[
        1
    ].classifier
    wrong = OnnxModel(convert_to_onnx(other.estimator, len(other.encoder.feature_names_out_)), [0, 1])
    proof = check_onnx_parity(classifier, wrong, parts("personality", N_ROWS).test)
    assert not proof.used
    assert proof.reason is not None
    assert "differ by up to" in proof.reason
