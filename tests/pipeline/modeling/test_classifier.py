"""Rows in, probabilities and classes out: order of classes, threshold, and what cannot be learned."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.modeling.classifier import encode_target, fit_classifier, predicted_classes
from pipeline.schema import Target
from tests.fixtures.toy_dataset import rows, schema, settings

TWO = Target("y", ("no", "yes"), "yes")
FIRST = Target("y", ("ill", "well"), "ill")
THREE = Target("y", ("a", "b", "c"), None)


def fitted(n_classes: int = 2, *overrides: str, class_weight: str | None = None):
    config = settings("model=logistic_regression", *overrides)
    frame = rows(n_classes=n_classes)
    return fit_classifier(
        frame, schema(n_classes), config.features, model=config.model, seed=1, class_weight=class_weight
    )


def test_a_row_is_positive_from_the_threshold_on() -> None:
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]])
    assert predicted_classes(probabilities, TWO, 0.4).tolist() == ["no", "yes", "yes"]
    assert predicted_classes(probabilities, TWO, 0.5).tolist() == ["no", "no", "yes"]


def test_the_positive_class_may_be_the_first() -> None:
    assert predicted_classes(np.array([[0.3, 0.7], [0.2, 0.8]]), FIRST, 0.3).tolist() == ["ill", "well"]


def test_without_a_threshold_the_most_probable_class_is_predicted() -> None:
    assert predicted_classes(np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), THREE, None).tolist() == ["b", "a"]


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_probabilities_are_in_the_order_of_the_classes(n_classes: int) -> None:
    frame = rows(n_classes=n_classes)
    probabilities = fitted(n_classes).predict_proba(frame)
    codes = encode_target(frame, schema(n_classes).target)
    assert probabilities.shape == (len(frame), n_classes)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(frame)))
    assert [probabilities[codes == code].mean(axis=0).argmax() for code in range(n_classes)] == list(range(n_classes))


def test_a_class_without_training_rows_has_probability_zero() -> None:
    config, frame = settings("model=logistic_regression"), rows(n_classes=3)
    part = frame[frame["answer"] != "kind 1"]
    probabilities = fit_classifier(part, schema(3), config.features, model=config.model, seed=1).predict_proba(frame)
    assert (probabilities[:, 1] == 0).all()
    assert probabilities[:, [0, 2]].min() > 0


def test_unknown_words_and_missing_values_get_probabilities() -> None:
    frame = rows().head(4).copy()
    frame.loc[0, "colour"] = "green"
    frame.loc[1, ["size", "count", "colour", "is_new", "seen_at"]] = None
    assert np.isfinite(fitted().predict_proba(frame)).all()


def test_class_weights_move_probabilities_towards_the_rarer_class() -> None:
    config, frame = settings("model=logistic_regression"), rows()
    rare = frame.drop(frame.index[frame["answer"] == "yes"][20:])
    plain, weighted = (
        fit_classifier(rare, schema(), config.features, model=config.model, seed=1, class_weight=weight).predict_proba(
            frame
        )
        for weight in (None, "balanced")
    )
    assert weighted[:, 1].mean() > plain[:, 1].mean() + 0.05


def test_a_model_without_weights_is_refused_for_class_weights() -> None:
    with pytest.raises(ConfigError, match=r"training\.class_weight: knn does not support weights"):
        fitted(2, "model=knn", class_weight="balanced")


def test_rows_of_one_class_are_refused() -> None:
    config, frame = settings("model=logistic_regression"), rows()
    with pytest.raises(DataError, match="answer: only one class occurs"):
        fit_classifier(frame[frame["answer"] == "no"], schema(), config.features, model=config.model, seed=1)


def test_a_class_that_is_not_declared_is_named_with_its_row() -> None:
    frame = rows()
    frame.loc[7, "answer"] = "perhaps"
    with pytest.raises(DataError, match="answer: row 7 contains 'perhaps'; expected one of no, yes"):
        encode_target(frame, schema().target)


def test_rows_without_the_target_are_refused() -> None:
    with pytest.raises(DataError, match="answer: the rows have no target column"):
        encode_target(rows().drop(columns="answer"), schema().target)


def test_an_error_of_the_estimator_names_the_model() -> None:
    config = settings("model=stacking", "model.estimator.cv=40")
    with pytest.raises(ConfigError, match=r"model\.estimator: stacking cannot be fitted: "):
        fit_classifier(rows(40), schema(), config.features, model=config.model, seed=1)
