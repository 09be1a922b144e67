"""A fit weighs classes as declared, and refuses what cannot be learned."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.modeling.classifier_fit import fit_classifier
from tests.fixtures.toy_dataset import rows, schema, settings


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
    config = settings("model=knn")
    with pytest.raises(ConfigError, match=r"training\.class_weight: knn does not support weights"):
        fit_classifier(rows(), schema(), config.features, model=config.model, seed=1, class_weight="balanced")


def test_rows_of_one_class_are_refused() -> None:
    config, frame = settings("model=logistic_regression"), rows()
    with pytest.raises(DataError, match="answer: only one class occurs"):
        fit_classifier(frame[frame["answer"] == "no"], schema(), config.features, model=config.model, seed=1)


def test_an_error_of_the_estimator_names_the_model() -> None:
    config = settings("model=stacking", "model.estimator.cv=40")
    with pytest.raises(ConfigError, match=r"model\.estimator: stacking cannot be fitted: "):
        fit_classifier(rows(40), schema(), config.features, model=config.model, seed=1)
