"""The classifier inside a model of MLflow predicts as its package does, and behaves as scikit-learn expects."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer

from pipeline.errors import DataError, IntegrityError, UsageError
from pipeline.package import load_package
from pipeline.package.logged_classifier import LoggedClassifier
from tests.fixtures.small_packages import parts, write_small_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N_ROWS = 400


def contents(folder: Path) -> dict[str, bytes]:
    names = LoggedClassifier.file_names(has_onnx=(folder / "model.onnx").exists())
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def test_rows() -> pd.DataFrame:
    return parts("personality", N_ROWS).test


@pytest.fixture(scope="module")
def classifier(folder: Path) -> LoggedClassifier:
    return LoggedClassifier(contents(folder))


def test_probabilities_equal_those_of_the_package(
    folder: Path, classifier: LoggedClassifier, test_rows: pd.DataFrame
) -> None:
    package = load_package(folder)
    order = [package.classes.index(name) for name in classifier.classes_]
    assert np.array_equal(classifier.predict_proba(test_rows), package.predict_proba(test_rows)[:, order])
    assert np.array_equal(classifier.predict(test_rows), package.predict(test_rows))


@pytest.mark.parametrize(
    ("data", "n_rows", "model"), [("wine", 0, "logistic_regression"), ("personality", N_ROWS, "lightgbm")]
)
def test_columns_of_probabilities_follow_the_sorted_classes(tmp_path: Path, data: str, n_rows: int, model: str) -> None:
    write_small_package(tmp_path / "package", data, f"model={model}", n_rows=n_rows)
    package, frame = load_package(tmp_path / "package"), parts(data, n_rows).test
    logged = LoggedClassifier(contents(tmp_path / "package"))
    probabilities = pd.DataFrame(package.predict_proba(frame), columns=list(package.classes))
    assert list(logged.classes_) == sorted(package.classes)
    assert np.array_equal(logged.predict_proba(frame), probabilities[sorted(package.classes)].to_numpy())


def test_scikit_learn_takes_it_for_a_fitted_classifier(classifier: LoggedClassifier, test_rows: pd.DataFrame) -> None:
    assert is_classifier(classifier)
    assert clone(classifier) is classifier
    assert get_scorer("roc_auc")(classifier, test_rows, test_rows["Personality"]) > 0.8
    with pytest.raises(UsageError, match="frozen; train by `dvc repro`"):
        classifier.fit(test_rows, test_rows["Personality"])


def test_an_array_and_absent_columns_are_accepted(classifier: LoggedClassifier, test_rows: pd.DataFrame) -> None:
    features = list(classifier.feature_names_in_)
    expected = classifier.predict_proba(test_rows.assign(Stage_fear=None))
    assert np.array_equal(classifier.predict_proba(test_rows.drop(columns="Stage_fear")), expected)
    array = test_rows[features].astype(object).to_numpy()
    assert np.array_equal(classifier.predict_proba(array), classifier.predict_proba(test_rows))


@pytest.mark.parametrize("to_form", [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.to_dict("list")])
def test_columns_are_found_by_name_in_every_frame(
    classifier: LoggedClassifier, test_rows: pd.DataFrame, to_form: Callable[[pd.DataFrame], Any]
) -> None:
    reversed_rows = test_rows[list(classifier.feature_names_in_)[::-1]]
    assert np.array_equal(classifier.predict_proba(to_form(reversed_rows)), classifier.predict_proba(test_rows))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.rename(columns={"Stage_fear": "stage_fear"}), "one called 'stage_fear'; rename it"),
        (lambda frame: frame.assign(Going_outside="3"), "Going_outside: found texts, such as '3'; expected values of"),
        (lambda frame: frame[["Personality"]], "X: has none of the features"),
        (lambda frame: frame[["Going_outside"]].to_numpy(), r"found an array of the shape \(\d+, 1\)"),
    ],
)
def test_rows_that_a_package_refuses_are_refused(
    classifier: LoggedClassifier, test_rows: pd.DataFrame, change: Callable[[pd.DataFrame], Any], match: str
) -> None:
    with pytest.raises(DataError, match=match):
        classifier.predict_proba(change(test_rows))


def test_a_request_gets_classes_and_probabilities_as_asked(
    classifier: LoggedClassifier, test_rows: pd.DataFrame
) -> None:
    columns = {
        output: list(classifier.predict_proba(test_rows, params={"output": output}))
        for output in ("all", "prediction", "probabilities")
    }
    classes = ["Extrovert", "Introvert"]
    assert columns == {"all": ["prediction", *classes], "prediction": ["prediction"], "probabilities": classes}
    with pytest.raises(UsageError, match="output is 'scores'; expected one of all, prediction, probabilities"):
        classifier.predict_proba(test_rows, params={"output": "scores"})


def test_a_pickled_classifier_predicts_the_same(classifier: LoggedClassifier, test_rows: pd.DataFrame) -> None:
    restored = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(restored.predict_proba(test_rows), classifier.predict_proba(test_rows))


@pytest.mark.parametrize("name", ["encoder.json", "model.onnx", "schema.yaml"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    changed = contents(folder)
    changed[name] = changed[name][:-1] + bytes([changed[name][-1] ^ 1])
    with pytest.raises(IntegrityError, match=f"{name}: checksum mismatch"):
        LoggedClassifier(changed)
