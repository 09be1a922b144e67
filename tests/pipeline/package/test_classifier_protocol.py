"""A loaded package is a scikit-learn classifier: scikit-learn's own functions take it and give the right numbers."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import joblib
import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    RocCurveDisplay,
    accuracy_score,
    get_scorer,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from pipeline import package
from pipeline.errors import ConfigError, UsageError
from pipeline.package.training_lineage import lineage_record
from pipeline.schema import Target
from tests.fixtures.small_packages import FAST, parts, unseen_rows, write_small_package
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.package import Package

MODEL = "model=logistic_regression"
N_ROWS = 400
X = unseen_rows("personality", N_ROWS)
Y = parts("personality", N_ROWS).test["Personality"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Package:
    config = settings("data=personality", *FAST, MODEL)
    groups = config.model_dump(mode="json", include={"features", "model", "training"})
    lineage = lineage_record("personality", {}, groups, seed=config.seed, source={})
    folder = tmp_path_factory.mktemp("classifier") / "package"
    write_small_package(folder, "personality", MODEL, n_rows=N_ROWS, lineage=lineage)
    return package.load_package(folder)


@pytest.fixture(scope="module")
def probabilities(model: Package) -> NDArray[np.float64]:
    return model.predict_proba(X)


FRAMES: dict[str, Callable[[], Any]] = {
    "polars": lambda: pl.from_pandas(X),
    "polars categories": lambda: pl.from_pandas(X).cast({pl.String: pl.Categorical}),
    "table": lambda: pa.Table.from_pandas(X, preserve_index=False),
    "record batch": lambda: pa.RecordBatch.from_pandas(X, preserve_index=False),
    "reader": lambda: pa.Table.from_pandas(X, preserve_index=False).to_reader(),
    "DuckDB": lambda: duckdb.connect().from_arrow(pa.Table.from_pandas(X, preserve_index=False)),
    "Arrow dtypes": lambda: X.convert_dtypes(dtype_backend="pyarrow"),
    "nullable dtypes": X.convert_dtypes,
    "numpy dtypes": lambda: pd.DataFrame(
        {name: X[name].astype(object).where(X[name].notna(), None).tolist() for name in X}
    ),
    "categories": lambda: X.astype(dict.fromkeys(("Stage_fear", "Drained_after_socializing"), "category")),
    "records": lambda: X.to_dict("records"),
    "lists": lambda: {name: X[name].tolist() for name in X},
    "columns reversed": lambda: X[X.columns[::-1]].assign(another=1),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_rows_of_every_library_get_the_same_probabilities(
    model: Package, probabilities: NDArray[np.float64], frame: Callable[[], Any]
) -> None:
    assert np.array_equal(model.predict_proba(frame()), probabilities)


def test_it_has_the_attributes_and_tags_of_a_fitted_classifier(model: Package) -> None:
    check_is_fitted(model)
    assert is_classifier(model)
    assert model.classes_.tolist() == ["Extrovert", "Introvert"]
    assert model.feature_names_in_.tolist() == list(X)
    assert model.n_features_in_ == X.shape[1]
    tags = get_tags(model).input_tags
    assert (tags.allow_nan, tags.string, tags.categorical) == (True, True, True)


def test_scorers_give_what_the_metrics_give(model: Package, probabilities: NDArray[np.float64]) -> None:
    expected = {
        "accuracy": accuracy_score(Y, model.predict(X)),
        "roc_auc": roc_auc_score(Y == "Introvert", probabilities[:, 1]),
        "neg_log_loss": -log_loss(Y, probabilities),
    }
    assert {name: get_scorer(name)(model, X, Y) for name in expected} == pytest.approx(expected)


def test_score_takes_labels_of_every_library(model: Package) -> None:
    expected = accuracy_score(Y, model.predict(X))
    assert [model.score(X, Y), model.score(pl.from_pandas(X), pl.Series(Y.tolist()))] == pytest.approx([expected] * 2)


def test_displays_are_drawn_from_it(model: Package, probabilities: NDArray[np.float64]) -> None:
    with mpl.rc_context({"backend": "agg"}):
        matrix = ConfusionMatrixDisplay.from_estimator(model, X, Y).confusion_matrix
        curve = RocCurveDisplay.from_estimator(model, X, Y)
        calibration = CalibrationDisplay.from_estimator(model, X, Y, pos_label="Introvert")
    assert np.trace(matrix) == (Y.to_numpy() == model.predict(X)).sum()
    assert curve.roc_auc == pytest.approx(roc_auc_score(Y == "Introvert", probabilities[:, 1]))
    assert np.array_equal(calibration.y_prob, probabilities[:, 1])


def test_permutation_importance_is_that_of_the_features(model: Package) -> None:
    importance = permutation_importance(model, X, Y, scoring="neg_log_loss", n_repeats=2, random_state=0)
    assert importance.importances.shape == (X.shape[1], 2)
    assert importance.importances_mean.max() > 0


def test_partial_dependence_is_the_mean_prediction(model: Package) -> None:
    frame = X.astype({"Time_spent_Alone": "float64"})
    result = partial_dependence(model, frame, ["Time_spent_Alone"], response_method="predict_proba")
    value = result["grid_values"][0][0]
    expected = model.predict_proba(frame.assign(Time_spent_Alone=value))[:, 1].mean()
    assert result["average"][0][0] == pytest.approx(expected)


def test_partial_dependence_works_on_words(model: Package) -> None:
    frame = X.dropna(subset=["Stage_fear"]).astype({"Stage_fear": object})
    result = partial_dependence(model, frame, ["Stage_fear"], categorical_features=["Stage_fear"])
    expected = [model.predict_proba(frame.assign(Stage_fear=word))[:, 1].mean() for word in ("No", "Yes")]
    assert result["average"][0].tolist() == pytest.approx(expected)


def test_a_clone_is_unfitted_and_trains_as_the_package_was_trained(model: Package) -> None:
    train = parts("personality", N_ROWS).train
    fitted = clone(model).fit(train.drop(columns="Personality"), train["Personality"])
    assert np.abs(fitted.predict_proba(X) - model.predict_proba(X)).max() < 1e-5
    assert (fitted.predict(X) == model.predict(X)).all()


def test_cross_validation_trains_a_clone_on_each_fold(model: Package) -> None:
    assert cross_val_score(model, X, Y, cv=2, scoring="roc_auc").min() > 0.7


def test_fit_is_refused_with_the_two_ways_out(model: Package) -> None:
    with pytest.raises(UsageError, match=r"clone\(package\)\.fit\(X, y\) trains again .*FrozenEstimator\(package\)"):
        model.fit(X, Y)


def test_parameters_are_refused(model: Package) -> None:
    assert (model.get_params(), model.set_params()) == ({}, model)
    with pytest.raises(UsageError, match="has no parameters, found C"):
        model.set_params(C=1)


def test_a_package_without_its_settings_is_not_cloned(model: Package) -> None:
    with pytest.raises(UsageError, match="does not record a training"):
        clone(replace(model, lineage={}))


def test_a_frozen_package_is_calibrated_on_other_rows(model: Package, probabilities: NDArray[np.float64]) -> None:
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(X, Y)
    order = np.argsort(probabilities[:, 1], kind="stable")
    assert (np.diff(calibrated.predict_proba(X)[order, 1]) >= 0).all()


@pytest.mark.parametrize("form", ["onnx", "scikit-learn"])
def test_a_copy_in_another_process_predicts_the_same(model: Package, tmp_path: Path, form: str) -> None:
    original = model if form == "onnx" else model.sklearn_classifier()
    joblib.dump(original, tmp_path / "model.joblib")
    for copied in (pickle.loads(pickle.dumps(original)), joblib.load(tmp_path / "model.joblib")):
        assert np.array_equal(copied.predict_proba(X), original.predict_proba(X))


def test_the_scikit_learn_form_is_a_package_too(model: Package) -> None:
    other = model.sklearn_classifier()
    assert (model.onnx_used, other.onnx_used) == (True, False)
    assert get_scorer("accuracy")(other, X, Y) == pytest.approx(accuracy_score(Y, model.predict(X)))


def test_its_text_is_one_line(model: Package) -> None:
    assert repr(model).count("\n") == 0
    assert len(repr(model)) < 200


@pytest.fixture
def unsorted_model(model: Package) -> Package:
    """The package of a problem whose classes are declared as Introvert, Extrovert."""
    target = Target("Personality", ("Introvert", "Extrovert"), "Extrovert")
    schema = replace(model.schema, target=target)
    return replace(model, schema=schema, serving_classifier=replace(model.serving_classifier, schema=schema))


def test_classes_in_another_order_than_scikit_learn_expects_are_refused(unsorted_model: Package) -> None:
    with pytest.raises(ConfigError, match=r"Introvert, Extrovert are not sorted.*with_sorted_classes"):
        get_scorer("roc_auc")(unsorted_model, X, Y)


def test_sorted_classes_have_the_same_predictions_and_the_right_scores(unsorted_model: Package) -> None:
    other = unsorted_model.with_sorted_classes()
    assert np.array_equal(other.predict_proba(X), unsorted_model.predict_proba(X)[:, ::-1])
    assert (other.predict(X) == unsorted_model.predict(X)).all()
    expected = roc_auc_score(Y == "Introvert", unsorted_model.predict_proba(X)[:, 0])
    assert get_scorer("roc_auc")(other, X, Y) == pytest.approx(expected)
