"""The unfitted form of a package passes scikit-learn's estimator checks, and trains as the declared training does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline.errors import DataError
from pipeline.modeling.declared_classifier import DeclaredClassifier
from pipeline.modeling.training import train_classifier
from tests.fixtures.toy_dataset import rows, schema, settings

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = settings("model=naive_bayes", "training.folds=2", "training.n_jobs=1")
FRAME = rows(200)
X, Y = FRAME.drop(columns="answer"), FRAME["answer"].astype(object)

_ONE_ROW = "the check has a class of one row; the declared cross-validation needs one row of each class in each fold"
EXPECTED_FAILURES = {
    "check_dict_unchanged": _ONE_ROW,
    "check_dont_overwrite_parameters": _ONE_ROW,
    "check_f_contiguous_array_estimator": _ONE_ROW,
    "check_fit2d_predict1d": _ONE_ROW,
    "check_methods_sample_order_invariance": _ONE_ROW,
    "check_methods_subset_invariance": _ONE_ROW,
}


def declared(**options: Any) -> DeclaredClassifier:
    return DeclaredClassifier(CONFIG.features, CONFIG.model, CONFIG.training, **options)


@parametrize_with_checks([declared()], expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_it_passes_the_estimator_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_a_class_with_fewer_rows_than_folds_is_refused() -> None:
    with pytest.raises(DataError, match=r"has 1 rows in the train part and training\.folds is 2; each fold needs one"):
        declared().fit(np.arange(10.0).reshape(-1, 1), np.array([0] * 9 + [1]))


def test_fit_is_the_declared_training() -> None:
    expected = train_classifier(
        FRAME, schema(), CONFIG.features, model=CONFIG.model, training=CONFIG.training, seed=0
    ).classifier
    fitted = declared(schema=schema()).fit(X, Y)
    assert np.array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    assert fitted.predict(X).tolist() == expected.predict(X).tolist()


def test_it_has_the_declared_names() -> None:
    fitted = declared(schema=schema()).fit(X, Y)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.feature_names_in_.tolist() == list(schema().feature_names)


def test_a_clone_is_equal_and_unfitted() -> None:
    original = declared(schema=schema(), seed=3)
    copy = clone(original.fit(X, Y))
    assert copy.get_params() == original.get_params()
    assert not hasattr(copy, "classes_")


def test_a_search_chooses_among_declared_settings() -> None:
    settings_tried = [CONFIG.training, CONFIG.training.model_copy(update={"calibration": "sigmoid"})]
    search = GridSearchCV(declared(schema=schema()), {"training": settings_tried}, cv=2, scoring="neg_log_loss")
    assert search.fit(X, Y).best_params_["training"] in settings_tried


def test_labels_that_are_not_declared_are_refused() -> None:
    with pytest.raises(DataError, match="y: found maybe; expected the classes no, yes of answer"):
        declared(schema=schema()).fit(X, Y.where(np.arange(len(Y)) > 5, "maybe"))


def test_frames_of_other_libraries_train_the_same() -> None:
    expected = declared(schema=schema()).fit(X, Y).predict_proba(X)
    other = declared(schema=schema()).fit(pl.from_pandas(X), pl.Series(Y.tolist()))
    assert np.array_equal(other.predict_proba(pl.from_pandas(X)), expected)


def test_without_a_declaration_columns_and_labels_are_inferred() -> None:
    frame = pd.DataFrame({"size": np.arange(40.0), "word": ["a", "b"] * 20})
    fitted = declared().fit(frame, np.arange(40) >= 20)
    assert fitted.classes_.tolist() == [False, True]
    assert fitted.predict(frame).dtype == bool
    assert fitted.feature_names_in_.tolist() == ["size", "word"]
