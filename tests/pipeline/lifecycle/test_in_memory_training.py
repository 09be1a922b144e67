"""What people bring to `train_and_track_model` is trained, or refused with what to pass instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import LinearSVC

from pipeline.errors import ConfigError, TargetRefused, UsageError
from pipeline.files import canonical_json
from pipeline.lifecycle.in_memory_training import (
    TrainTestFrames,
    estimator_model_config,
    prepare_model,
    to_train_test,
    train_candidate,
)
from pipeline.validation import DataValidator
from tests.fixtures.toy_dataset import settings
from tests.pipeline.package.test_extreme_values import COLUMNS, make_frame, make_schema

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS = 200
SETTINGS = (
    "training.folds=2",
    "training.golden_rows=8",
    "evaluation.importance_repeats=1",
)


def make_rows() -> TrainTestFrames:
    """Return rows with numbers, whole numbers, words and gaps, as pandas reads them."""
    rng = np.random.default_rng(0)
    code = np.arange(N_ROWS) % 2
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(N_ROWS) < 0.1, np.nan, code + rng.normal(0, 0.5, N_ROWS)),
            "visits": rng.integers(0, 9, N_ROWS),
            "color": np.where(rng.random(N_ROWS) < 0.3 + 0.4 * code, "red", "blue"),
        }
    )
    labels = pd.Series(np.where(code == 1, "yes", "no"), name="bought")
    return to_train_test(frame[:150], frame[150:], labels[:150], labels[150:], settings(*SETTINGS))


def encode_columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("words", OneHotEncoder(), ["color"]), ("numbers", numbers, ["size", "visits"])])


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer of a user's own, which a package does not know."""

    def fit(self, X: Any, y: Any = None) -> Doubled:  # noqa: ARG002 - scikit-learn's API
        return self

    def transform(self, X: Any) -> Any:
        return 2 * X


GRID = {"C": [0.1, 1.0]}
TRAINED: dict[str, tuple[Any, str]] = {
    "scaler": (make_pipeline(StandardScaler(), LogisticRegression()), "Pipeline"),
    "components": (make_pipeline(StandardScaler(), PCA(2), LogisticRegression()), "Pipeline"),
    "selection": (make_pipeline(SelectKBest(k=2), LogisticRegression()), "Pipeline"),
    "bins": (
        make_pipeline(KBinsDiscretizer(n_bins=3, strategy="uniform"), LogisticRegression(max_iter=500)),
        "Pipeline",
    ),
    "calibrated pipeline": (
        CalibratedClassifierCV(make_pipeline(StandardScaler(), LinearSVC())),
        "CalibratedClassifierCV",
    ),
    "team of pipelines": (
        VotingClassifier([("a", make_pipeline(StandardScaler(), LogisticRegression()))], voting="soft"),
        "VotingClassifier",
    ),
    "grid": (GridSearchCV(LogisticRegression(), GRID, cv=2), "LogisticRegression"),
    "random": (
        RandomizedSearchCV(RandomForestClassifier(5), {"max_depth": [2, 3, 4]}, n_iter=2, cv=2),
        "RandomForestClassifier",
    ),
    "columns by name": (make_pipeline(encode_columns(), LogisticRegression()), "Pipeline"),
    "grid over columns": (
        GridSearchCV(make_pipeline(encode_columns(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2),
        "Pipeline",
    ),
    "fitted grid over columns": (
        GridSearchCV(
            make_pipeline(encode_columns(), LogisticRegression()),
            {"columntransformer__words__drop": [None, "if_binary"]},
            cv=2,
        ).fit(
            pd.DataFrame({"size": [0.0, 1.0] * 10, "visits": [1, 2] * 10, "color": ["red", "blue"] * 10}),
            ["no", "yes"] * 10,
        ),
        "Pipeline",
    ),
    "grid of a pipeline": (
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1]}, cv=2),
        "Pipeline",
    ),
    "grid without refit": (GridSearchCV(LogisticRegression(), GRID, cv=2, refit=False), "LogisticRegression"),
    "fitted grid": (
        GridSearchCV(LogisticRegression(), GRID, cv=2).fit([[0.0], [1.0]] * 10, ["no", "yes"] * 10),
        "LogisticRegression",
    ),
}

REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "text": (
        make_pipeline(TfidfVectorizer(), LogisticRegression()),
        ConfigError,
        "contains TfidfVectorizer, which reads",
    ),
    "target encoding": (
        make_pipeline(TargetEncoder(), LogisticRegression()),
        ConfigError,
        "contains TargetEncoder, whose shuffled folds have no seed",
    ),
    "native categories": (
        HistGradientBoostingClassifier(categorical_features=["color"]),
        ConfigError,
        "categorical_features cannot be stored in a package",
    ),
    "grid inside": (
        make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), GRID)),
        ConfigError,
        r"put search\.best_estimator_ in its place",
    ),
    "grid that fails": (GridSearchCV(LogisticRegression(), {"D": [1]}), ConfigError, "Invalid parameter 'D'"),
    "grid without a best": (
        GridSearchCV(LogisticRegression(), GRID, cv=2, scoring=["accuracy", "roc_auc"], refit=False),
        ConfigError,
        "set refit to one of its metrics",
    ),
    "threshold": (TunedThresholdClassifierCV(LogisticRegression()), ConfigError, r"training\.threshold chooses"),
    "function": (
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
        ConfigError,
        "apply the step to the rows before",
    ),
    "own function": (
        make_pipeline(encode_columns(), FunctionTransformer(lambda values: values), LogisticRegression()),
        ConfigError,
        r"FunctionTransformer\.func: function cannot be stored in a package",
    ),
    "own transformer": (
        make_pipeline(StandardScaler(), Doubled(), LogisticRegression()),
        TargetRefused,
        r"test_in_memory_training\.Doubled",
    ),
    "own score": (make_pipeline(SelectKBest(chi2), LogisticRegression()), ConfigError, r"SelectKBest\.score_func"),
    "splines": (
        make_pipeline(make_union(StandardScaler(), SplineTransformer()), LogisticRegression()),
        ConfigError,
        "SplineTransformer cannot be packaged: .* apply a step to the rows before",
    ),
    "random projection": (
        make_pipeline(GaussianRandomProjection(2), GaussianProcessClassifier()),
        ConfigError,
        "cannot be packaged",
    ),
    "regressor": (LinearRegression(), TargetRefused, "LinearRegression is not a classifier"),
    "transformed target": (TransformedTargetRegressor(LinearRegression()), TargetRefused, "is not a classifier"),
    "no probabilities": (LinearSVC(), TargetRefused, "wrap it in sklearn.calibration.CalibratedClassifierCV"),
    "class": (
        LogisticRegression,
        UsageError,
        r"found the class LogisticRegression, expected .* LogisticRegression\(\)",
    ),
    "nothing": (None, UsageError, "found NoneType"),
    "name": ("LogisticRegression", UsageError, "found str"),
}


def train(model: Any, folder: Path) -> Any:
    rows, config = make_rows(), settings(*SETTINGS)
    prepared = prepare_model(model, rows, config)
    candidate, _ = train_candidate(prepared.rows, prepared.config.model, prepared.config, folder=folder / "package")
    return candidate


def test_stacking_is_trained_with_its_default_final_estimator(tmp_path: Path) -> None:
    assert train(StackingClassifier([("trees", RandomForestClassifier(n_estimators=3))]), tmp_path).classes


@pytest.mark.parametrize("name", TRAINED)
def test_what_people_bring_is_trained(tmp_path: Path, name: str) -> None:
    model, trained_class = TRAINED[name]
    candidate = train(model, tmp_path)
    assert type(candidate.sklearn_classifier().serving_classifier.estimator).__name__ == trained_class


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_with_what_to_pass(tmp_path: Path, name: str) -> None:
    model, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        train(model, tmp_path)


def test_a_search_gives_its_best_parameters_and_stays_unfitted() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1e-9, 1.0]}, cv=2)
    prepared = prepare_model(search, make_rows(), settings(*SETTINGS))
    assert (prepared.config.model.estimator.get("C", 1.0), hasattr(search, "best_params_")) == (1.0, False)


def test_a_random_search_without_a_seed_finds_the_same_twice() -> None:
    search = RandomizedSearchCV(RandomForestClassifier(3), {"max_depth": list(range(1, 30))}, n_iter=1, cv=2)
    rows, config = make_rows(), settings(*SETTINGS)
    first, again = (prepare_model(clone(search), rows, config) for _ in range(2))
    assert (first.config.model, first.search) == (again.config.model, again.search)


def test_what_a_search_tried_is_listed_best_first() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1e-9, 1.0]}, cv=2, scoring="neg_log_loss")
    results = prepare_model(search, make_rows(), settings(*SETTINGS)).search
    assert results is not None
    assert [candidate["parameters"] for candidate in results["candidates"]] == [{"C": 1.0}, {"C": 1e-9}]
    assert results["candidates"][0]["mean"] > results["candidates"][1]["mean"]


def test_reports_of_extreme_columns_are_finite_json(tmp_path: Path) -> None:
    frame, schema, config = make_frame(COLUMNS), make_schema(list(COLUMNS)), settings(*SETTINGS)
    rows = TrainTestFrames(frame, frame, schema)
    _, report = train_candidate(rows, estimator_model_config(LogisticRegression()), config, folder=tmp_path / "package")
    assert canonical_json(report.as_dict())
    assert canonical_json(DataValidator(schema, config.validation).validate_dataset(frame, "train", reference=frame))
