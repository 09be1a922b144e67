"""A row counts in training as often as its weight says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.modeling.boosting_rounds import RoundsCurve, first_stages
from pipeline.modeling.calibration import fit_calibration
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.dry_fit import check_fit
from pipeline.modeling.row_weights import row_weights
from pipeline.modeling.training import train_classifier
from pipeline.schema import Column
from tests.fixtures.toy_dataset import rows, schema, settings

if TYPE_CHECKING:
    from pipeline.schema import Schema


def weighted_schema() -> Schema:
    plain = schema()
    return replace(plain, columns=(*plain.columns, Column("copies", "float", "Float64", role="weight")))


def probabilities(frame: pd.DataFrame, of: Schema, *, class_weight: str | None = None) -> np.ndarray[Any, Any]:
    config = settings("model=logistic_regression")
    fitted = fit_classifier(frame, of, config.features, model=config.model, seed=1, class_weight=class_weight)
    return fitted.predict_proba(rows())


def with_weights(frame: pd.DataFrame, weights: Any) -> pd.DataFrame:
    return frame.assign(copies=pd.array(np.broadcast_to(np.asarray(weights, dtype=float), len(frame)), "Float64"))


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the other class."""
    target = schema().target
    names = dict(zip(target.classes, reversed(target.classes), strict=True))
    return frame.assign(**{target.column: frame[target.column].map(names)})


def test_weights_have_a_mean_of_one() -> None:
    assert row_weights(with_weights(rows().head(3), [1, 2, 3]), weighted_schema()).tolist() == [0.5, 1.0, 1.5]


def test_equal_weights_are_none_and_a_schema_without_weight_has_none() -> None:
    assert row_weights(with_weights(rows(), 7), weighted_schema()) is None
    assert row_weights(rows(), schema()) is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1, 1], r"copies: the weight of row 1 is -1.0 \(1 such rows\); expected a finite number of at least 0"),
        ([np.inf, np.nan, 1], r"copies: the weight of row 0 is inf \(2 such rows\)"),
        ([0, 0, 0], "copies: the weight of every row is 0"),
    ],
)
def test_weights_that_cannot_count_rows_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        row_weights(with_weights(rows().head(3), weights), weighted_schema())


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_rows_of_weight_zero_teach_nothing(class_weight: str | None) -> None:
    frame = rows()
    both = pd.concat([with_weights(frame, 1.0), with_weights(swapped(frame), 0.0)], ignore_index=True)
    is_second = (frame[schema().target.column] == schema().target.classes[1]).to_numpy()
    weighted = probabilities(both, weighted_schema(), class_weight=class_weight)[:, 1]
    unweighted = probabilities(both, schema(), class_weight=class_weight)[:, 1]
    assert ((weighted > 0.5) == is_second).mean() > 0.7
    assert ((unweighted > 0.5) == is_second).mean() < 0.6


def test_the_scale_of_weights_changes_nothing() -> None:
    weights = np.random.default_rng(0).uniform(0.1, 1.0, len(rows()))
    first, second = (probabilities(with_weights(rows(), scale * weights), weighted_schema()) for scale in (1.0, 64.0))
    assert (first == second).all()


def test_an_estimator_without_weights_is_refused_before_and_in_training() -> None:
    frame = with_weights(rows(), np.arange(1, len(rows()) + 1))
    config = settings("model=logistic_regression")
    neighbors = config.model.model_copy(update={"estimator": {"_target_": "sklearn.neighbors.KNeighborsClassifier"}})
    message = r"model.estimator: .* does not support weights of rows; choose another"
    with pytest.raises(ConfigError, match=message):
        fit_classifier(frame, weighted_schema(), config.features, model=neighbors, seed=1)
    with pytest.raises(ConfigError, match=message):
        check_fit(weighted_schema(), config.features, model=neighbors, training=config.training, seed=1)
    check_fit(weighted_schema(), config.features, model=config.model, training=config.training, seed=1)


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_a_calibration_counts_a_row_as_often_as_its_weight(kind: str) -> None:
    rng = np.random.default_rng(3)
    score = rng.uniform(0.01, 0.99, 400)
    y = (rng.uniform(size=400) < score**2).astype(int)
    copies = rng.integers(0, 4, 400)
    both = np.column_stack([1 - score, score])
    repeated = fit_calibration(kind, np.repeat(both, copies, axis=0), np.repeat(y, copies))
    weighted = fit_calibration(kind, both, y, weights=copies.astype(float))
    assert weighted.apply(both) == pytest.approx(repeated.apply(both), abs=1e-8)


def test_the_number_of_trees_counts_a_row_by_its_weight() -> None:
    stages = first_stages()
    falling = np.linspace(0.5, 0.9, len(stages))
    true_class = np.column_stack([falling, falling[::-1]])  # one row gets better with trees, the other worse
    both = np.repeat(true_class, 50, axis=1)
    scores = np.stack([both, 1 - both], axis=2)
    codes = np.zeros(100, dtype=np.int64)
    first, last = (
        RoundsCurve.from_probabilities(stages, scores, codes, weights=np.repeat(weights, 50)).losses.mean(axis=1)
        for weights in ([2.0, 0.0], [0.0, 2.0])
    )
    assert (first.argmin(), last.argmin()) == (len(stages) - 1, 0)


def test_training_follows_the_rows_with_weight_and_reports_metrics_of_all_rows() -> None:
    frame = rows()
    both = pd.concat([with_weights(frame, 1.0), with_weights(swapped(frame), 0.0)], ignore_index=True)
    config = settings("model=logistic_regression", "training.calibration=sigmoid")
    result = train_classifier(
        both, weighted_schema(), config.features, model=config.model, training=config.training, seed=1
    )
    predicted = result.classifier.predict(frame)
    assert (predicted == frame[schema().target.column]).mean() > 0.7
    assert result.mean_metrics["accuracy"] == pytest.approx(0.5, abs=0.05)
