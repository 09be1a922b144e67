"""Models that prepare the columns themselves give the probabilities that they give without the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from pipeline.errors import ConfigError
from pipeline.lifecycle.in_memory_training import PreparedModel, prepare_model, to_train_test, train_candidate
from pipeline.modeling.classifier_fit import fit_classifier
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = ("training.folds=2", "training.golden_rows=4", "evaluation.importance_repeats=1")
CONFIG = settings(*SETTINGS)
TOLERANCE = 1e-5
NUMBERS, WORDS = ["size", "visits"], ["color", "shop"]


def make_frame(n: int, *, has_gaps: bool = False) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows whose numbers float32 holds exactly, so that both models are fitted to the same numbers."""
    rng = np.random.default_rng(1)
    code = np.arange(n) % 2
    frame = pd.DataFrame(
        {
            "shop": np.where(rng.random(n) < 0.5, "b", np.where(rng.random(n) < 0.5, "a", "c")),
            "size": np.round(code + rng.normal(0, 1.0, n), 1).astype(np.float32).astype(np.float64),
            "visits": rng.integers(0, 9, n),
            "color": np.where(rng.random(n) < 0.3 + 0.4 * code, "red", "blue"),
        }
    ).astype({"shop": object, "color": object})
    if has_gaps:
        frame.loc[rng.random(n) < 0.2, "size"] = np.nan
        frame.loc[rng.random(n) < 0.2, "color"] = np.nan
    return frame, pd.Series(np.where(code == 1, "yes", "no"), name="bought")


def logistic() -> LogisticRegression:
    return LogisticRegression(C=0.5, max_iter=1000)


def columns(numbers: Any = None, words: Any = None, **options: Any) -> ColumnTransformer:
    return ColumnTransformer(
        [("numbers", numbers or StandardScaler(), NUMBERS), ("words", words or OneHotEncoder(), WORDS)], **options
    )


FOREST = RandomForestClassifier(5, max_depth=3, random_state=0)
CATEGORIES = [["red", "blue"], ["c", "a", "b"]]
MODELS: dict[str, Any] = {
    "columns by name": make_pipeline(columns(), logistic()),
    "columns by position": make_pipeline(
        make_column_transformer((StandardScaler(), [1, 2]), (OneHotEncoder(), slice(3, 4))), logistic()
    ),
    "columns by type": make_pipeline(
        make_column_transformer(
            (MinMaxScaler(), make_column_selector(dtype_include=np.number)),
            (OneHotEncoder(drop="first"), make_column_selector(dtype_include=object)),
        ),
        logistic(),
    ),
    "columns by mask": make_pipeline(
        make_column_transformer((PolynomialFeatures(2), [False, True, True, False]), remainder=OneHotEncoder()),
        logistic(),
    ),
    "remaining numbers": make_pipeline(
        ColumnTransformer([("words", OneHotEncoder(), WORDS)], remainder="passthrough"), logistic()
    ),
    "listed categories": make_pipeline(columns(words=OrdinalEncoder(categories=CATEGORIES)), FOREST),
    "listed categories of one column": make_pipeline(
        ColumnTransformer([("words", OneHotEncoder(categories=[["red", "blue"]]), ["color"])]), logistic()
    ),
    "ordinal words with a forest": make_pipeline(columns("passthrough", OrdinalEncoder()), FOREST),
    "codes of unknown words": make_pipeline(
        columns(words=OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-5)), FOREST
    ),
    "frames between steps": make_pipeline(
        columns(words=OneHotEncoder(sparse_output=False)).set_output(transform="pandas"), logistic()
    ),
    "nested columns": make_pipeline(
        ColumnTransformer(
            [
                (
                    "all",
                    make_pipeline(
                        make_column_transformer((OneHotEncoder(), ["shop"])), StandardScaler(with_mean=False)
                    ),
                    ["color", "shop"],
                )
            ]
        ),
        logistic(),
    ),
    "components": make_pipeline(columns(numbers=make_pipeline(StandardScaler(), PCA(1))), logistic()),
    "selection": make_pipeline(columns(), SelectKBest(k=3), logistic()),
    "bins beside numbers": make_pipeline(
        columns(numbers=make_union(KBinsDiscretizer(3, strategy="uniform"), MinMaxScaler())), logistic()
    ),
    "union of columns": make_pipeline(
        FeatureUnion(
            [
                ("words", make_column_transformer((OneHotEncoder(), WORDS))),
                ("size", make_column_transformer((StandardScaler(), ["size"]))),
            ]
        ),
        logistic(),
    ),
    "voting": VotingClassifier(
        [
            ("linear", make_pipeline(columns(), logistic())),
            ("forest", make_pipeline(columns("passthrough", OrdinalEncoder()), FOREST)),
        ],
        voting="soft",
    ),
    "stacking": StackingClassifier(
        [
            ("linear", make_pipeline(columns(), logistic())),
            (
                "tree",
                make_pipeline(
                    columns("passthrough", OrdinalEncoder()), DecisionTreeClassifier(max_depth=2, random_state=0)
                ),
            ),
        ],
        cv=2,
    ),
    "calibrated": CalibratedClassifierCV(make_pipeline(columns(), logistic()), cv=2),
}
NUMERIC_MODELS: dict[str, Any] = {
    "scaler": make_pipeline(StandardScaler(), logistic()),
    "components of numbers as they are": make_pipeline(PCA(2), logistic()),
    "no preparation": make_pipeline("passthrough", logistic()),
}
MODELS_WITH_GAPS: dict[str, Any] = {
    "imputed": make_pipeline(
        columns(
            numbers=make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            words=make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
        ),
        logistic(),
    ),
    "a word for gaps": make_pipeline(
        columns(
            numbers=KNNImputer(),
            words=make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()),
        ),
        logistic(),
    ),
    "gaps as a category": make_pipeline(columns(numbers=SimpleImputer(), words=OneHotEncoder()), logistic()),
    "boosted codes": make_pipeline(
        columns(numbers="passthrough", words=OrdinalEncoder()),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ),
}
CASES = [
    *((name, model, False, [*make_frame(4)[0]]) for name, model in MODELS.items()),
    *((name, model, False, NUMBERS) for name, model in NUMERIC_MODELS.items()),
    *((name, model, True, [*make_frame(4)[0]]) for name, model in MODELS_WITH_GAPS.items()),
]


# The others are fitted and compared without a package.
PACKAGED = frozenset({"columns by name", "listed categories", "a word for gaps", "boosted codes", "voting"})


def prepare(model: Any, frame: Any, labels: Any, *, n_train: int = 120) -> PreparedModel:
    rows = to_train_test(frame[:n_train], frame[n_train:], labels[:n_train], labels[n_train:], CONFIG)
    return prepare_model(model, rows, CONFIG)


def fit(prepared: PreparedModel) -> Any:
    config = prepared.config
    return fit_classifier(
        prepared.rows.train, prepared.rows.schema, config.features, model=config.model, seed=config.seed
    )


@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")  # drop="first" makes them the first one
@pytest.mark.parametrize(("name", "model", "has_gaps", "names"), CASES, ids=[case[0] for case in CASES])
def test_a_model_gives_the_probabilities_that_it_gives_without_the_project(
    tmp_path: Path, name: str, model: Any, has_gaps: bool, names: list[str]
) -> None:
    frame, labels = make_frame(160, has_gaps=has_gaps)
    frame = frame[names]
    expected = clone(model).fit(frame[:120], labels[:120]).predict_proba(frame[120:])
    prepared = prepare(model, frame, labels)
    assert np.abs(fit(prepared).predict_proba(prepared.rows.test) - expected).max() < TOLERANCE
    if name in PACKAGED:
        candidate, _ = train_candidate(
            prepared.rows, prepared.config.model, prepared.config, folder=tmp_path / "package"
        )
        assert np.abs(candidate.predict_proba(frame[120:]) - expected).max() < TOLERANCE
        assert np.abs(candidate.sklearn_classifier().predict_proba(frame[120:]) - expected).max() < TOLERANCE


@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV], ids=["grid", "random"])
def test_the_best_model_of_a_search_over_columns_is_the_one_that_the_search_finds(search: Any) -> None:
    frame, labels = make_frame(160)
    options = {"n_iter": 3, "random_state": 0} if search is RandomizedSearchCV else {}
    brought = search(
        make_pipeline(columns(), logistic()), {"logisticregression__C": [1e-6, 0.3, 1.0]}, cv=3, refit=True, **options
    )
    expected = clone(brought).fit(frame[:120], labels[:120])
    prepared = prepare(brought, frame, labels)
    assert (
        np.abs(fit(prepared).predict_proba(prepared.rows.test) - expected.predict_proba(frame[120:])).max() < TOLERANCE
    )
    assert prepared.search is not None
    assert prepared.search["candidates"][0]["mean"] == pytest.approx(expected.best_score_)


def test_labels_may_be_numbers() -> None:
    frame, labels = make_frame(160)
    codes = (labels == "yes").astype(int) + 1
    model = make_pipeline(columns(), logistic())
    prepared = prepare(model, frame, codes)
    expected = clone(model).fit(frame[:120], codes[:120]).predict_proba(frame[120:])
    assert prepared.rows.schema.target.classes == ("1", "2")
    assert np.abs(fit(prepared).predict_proba(prepared.rows.test) - expected).max() < TOLERANCE


def test_frames_and_labels_may_come_from_polars() -> None:
    frame, labels = make_frame(160)
    model = make_pipeline(columns(), logistic())
    expected = fit(prepare(model, frame, labels)).encoder.as_dict()
    prepared = prepare(model, pl.from_pandas(frame), pl.Series("bought", labels.tolist()))
    assert fit(prepared).encoder.as_dict() == expected


def test_a_word_that_training_does_not_have_is_ignored_at_prediction() -> None:
    frame, labels = make_frame(160)
    prepared = prepare(make_pipeline(columns(), logistic()), frame, labels)
    rows = prepared.rows.test.assign(shop="elsewhere")
    model = make_pipeline(columns(words=OneHotEncoder(handle_unknown="ignore")), logistic())
    expected = model.fit(frame[:120], labels[:120]).predict_proba(frame[120:].assign(shop="elsewhere"))
    assert np.abs(fit(prepared).predict_proba(rows) - expected).max() < TOLERANCE


def test_a_missing_number_is_the_median_where_training_has_none() -> None:
    frame, labels = make_frame(160)
    classifier = fit(prepared := prepare(make_pipeline(columns(), logistic()), frame, labels))
    median = float(frame["size"][:120].median())
    missing, filled = (prepared.rows.test.assign(size=value) for value in (np.nan, median))
    assert np.abs(classifier.predict_proba(missing) - classifier.predict_proba(filled)).max() < TOLERANCE


REFUSED: dict[str, tuple[Any, str]] = {
    "words for a scaler": (
        make_pipeline(make_column_transformer((StandardScaler(), ["size", "color"])), logistic()),
        "StandardScaler gets the words of the column color.*encode them before it",
    ),
    "words for an estimator": (
        VotingClassifier([("a", make_pipeline(columns(), logistic())), ("b", FOREST)], voting="soft"),
        "RandomForestClassifier gets the words of the column shop",
    ),
    "words passed through": (
        make_pipeline(ColumnTransformer([("size", StandardScaler(), ["size"])], remainder="passthrough"), FOREST),
        "ColumnTransformer gets the words of the column shop",
    ),
    "unknown column": (
        make_pipeline(make_column_transformer((StandardScaler(), ["age"])), logistic()),
        "uses the column age, which X_train does not have; its columns: shop, size, visits, color",
    ),
    "dates": (
        make_pipeline(make_column_transformer((OneHotEncoder(), ["color", "day"])), logistic()),
        r"OneHotEncoder uses the column day|\(onehotencoder\) uses the column day, which is left out",
    ),
    "columns behind another step": (
        make_pipeline(OrdinalEncoder(), make_column_transformer((OneHotEncoder(), [0])), logistic()),
        "ColumnTransformer behind a step that changes the columns",
    ),
    "one fill for two columns": (
        make_pipeline(
            columns(words=make_pipeline(SimpleImputer(strategy="constant", fill_value="b"), OneHotEncoder())),
            logistic(),
        ),
        "fill_value 'b' has another code in each of its columns",
    ),
    "two orders": (
        make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(categories=[["red", "blue"]]), ["color"]),
                (OneHotEncoder(categories=[["blue", "red"]]), ["color"]),
            ),
            logistic(),
        ),
        "lists the words of color in another order than another step",
    ),
}


@pytest.mark.parametrize(("model", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_on_the_matrix_is_refused_with_the_step(model: Any, message: str) -> None:
    frame, labels = make_frame(160)
    if "day" in message:
        frame = frame.assign(day=pd.Timestamp("2026-01-01"))
    with pytest.raises(ConfigError, match=message):
        prepare(model, frame, labels)
