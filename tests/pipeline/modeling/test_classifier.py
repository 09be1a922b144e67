"""Rows in, probabilities and classes out: order of classes and threshold."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.modeling.classifier import encode_target, predicted_classes
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.schema import Target
from tests.fixtures.toy_dataset import rows, schema, settings

TWO = Target("y", ("no", "yes"), "yes")
FIRST = Target("y", ("ill", "well"), "ill")
THREE = Target("y", ("a", "b", "c"), None)


def fitted(n_classes: int = 2):
    config = settings("model=logistic_regression")
    return fit_classifier(rows(n_classes=n_classes), schema(n_classes), config.features, model=config.model, seed=1)


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


def test_a_class_that_is_not_declared_is_named_with_its_row() -> None:
    frame = rows()
    frame.loc[7, "answer"] = "perhaps"
    with pytest.raises(DataError, match="answer: row 7 contains 'perhaps'; expected one of no, yes"):
        encode_target(frame, schema().target)


def test_rows_without_the_target_are_refused() -> None:
    with pytest.raises(DataError, match="answer: the rows have no target column"):
        encode_target(rows().drop(columns="answer"), schema().target)
