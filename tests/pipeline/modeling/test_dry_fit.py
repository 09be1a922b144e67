"""An estimator that no rows can be fitted with is refused before there are rows; any other is left to training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.config.groups.model_config import EstimatorInputsConfig, ModelConfig
from pipeline.errors import ConfigError
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.dry_fit import check_fit
from pipeline.schema import Column, Schema, Target
from tests.fixtures.toy_dataset import rows, schema, settings

LOGISTIC = "sklearn.linear_model.LogisticRegression"
LIGHTGBM = "lightgbm.LGBMClassifier"
VOTING = "sklearn.ensemble.VotingClassifier"
STEPS = "sklearn.pipeline.Pipeline"
IMPUTED = EstimatorInputsConfig(missing="impute", categories="codes", scale="none")


def model(target: str, **arguments: Any) -> ModelConfig:
    return ModelConfig(name="tried", estimator={"_target_": target, **arguments}, inputs=IMPUTED)


def reduced_to(n_components: int) -> ModelConfig:
    reduce = {"_target_": "sklearn.decomposition.PCA", "n_components": n_components}
    return model(STEPS, steps=[["reduce", reduce], ["fit", {"_target_": LOGISTIC}]])


def check(declared: Schema, tried: ModelConfig) -> None:
    config = settings()
    check_fit(declared, config.features, model=tried, training=config.training, seed=config.seed)


@pytest.mark.parametrize(
    "tried",
    [
        model(LOGISTIC, dual=True),
        model(LOGISTIC, solver="newton-cg", dual=True),
        model(LIGHTGBM, num_leaves=-5),
        model(LIGHTGBM, objective="nonsense"),
        model(LIGHTGBM, n_estimators=-1),
        model("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[-3]),
        model("sklearn.ensemble.RandomForestClassifier", oob_score=True, bootstrap=False),
        model(VOTING, estimators={"a": {"_target_": LOGISTIC}}, weights=[1, 2], voting="soft"),
        model(STEPS, steps=[["select", {"_target_": "sklearn.cluster.KMeans", "n_clusters": -1}]]),
        model("sklearn.neighbors.KNeighborsClassifier", metric="haversine", algorithm="ball_tree"),
    ],
    ids=lambda tried: str(tried.estimator),
)
def test_arguments_that_no_rows_fit_are_refused_in_the_words_of_training(tried: ModelConfig) -> None:
    config = settings()
    with pytest.raises(ConfigError) as refused_by_training:
        fit_classifier(rows(), schema(), config.features, model=tried, seed=config.seed)
    with pytest.raises(ConfigError, match=r"^model\.estimator") as refused_by_check:
        check(schema(), tried)
    assert str(refused_by_check.value) == str(refused_by_training.value)


@pytest.mark.parametrize(
    "tried",
    [
        model("sklearn.neighbors.KNeighborsClassifier", n_neighbors=500),
        reduced_to(9),
        reduced_to(50),
        model("sklearn.ensemble.HistGradientBoostingClassifier", monotonic_cst=[1, 0, 0, 0, 0, 0, 0]),
        model("sklearn.naive_bayes.MultinomialNB"),
        model("sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis"),
        model("sklearn.calibration.CalibratedClassifierCV", estimator={"_target_": "sklearn.svm.LinearSVC"}, cv=40),
    ],
    ids=lambda tried: str(tried.estimator),
)
def test_arguments_that_some_rows_fit_are_left_to_training(tried: ModelConfig) -> None:
    # Components of texts are negative and many, whatever the rows are.
    check(replace(schema(), columns=tuple(column for column in schema().columns if column.kind != "text")), tried)


def test_a_schema_with_texts_can_be_fitted() -> None:
    check(schema(), model(LOGISTIC))


@pytest.mark.parametrize("bounds", [(None, None), (0, 2**63 - 1), (-5, 0), (None, -(2.0**63)), (2**62, None)])
@pytest.mark.parametrize("dtype", ["Int64", "Float64"])
def test_any_declared_bounds_give_rows(dtype: str, bounds: tuple[float | None, float | None]) -> None:
    kind: Any = "integer" if dtype == "Int64" else "float"
    column = Column("size", kind, dtype, nullable=True, minimum=bounds[0], maximum=bounds[1])
    check(Schema("wide", (column,), Target("answer", ("no", "yes"), "yes")), model(LOGISTIC))


def test_many_classes_have_rows() -> None:
    check(schema(60), model(LOGISTIC))


@pytest.mark.parametrize("target", [LOGISTIC, "sklearn.naive_bayes.GaussianNB", "sklearn.neural_network.MLPClassifier"])
def test_an_estimator_that_takes_no_missing_values_is_refused_where_it_gets_them(target: str) -> None:
    native = model(target).model_copy(update={"inputs": IMPUTED.model_copy(update={"missing": "native"})})
    with pytest.raises(ConfigError, match=r"cannot be fitted: Input X contains NaN"):
        check(schema(), native)
    complete = Schema("complete", (Column("size", "float", "Float64"),), schema().target)
    check(complete, native)
