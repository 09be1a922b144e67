"""A prediction is explained by the package that made it, from the request or from the log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError
from pipeline.serving import InvalidRequest
from pipeline.serving.prediction_explainer import PredictionExplainer
from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel


def test_logged_features_are_explained_like_those_of_the_request(loaded_model: LoadedModel) -> None:
    explainer = PredictionExplainer(loaded_model.package)
    features = make_rows(1)[0]
    requested = explainer.parse_request(features)
    assert explainer.parse_logged(dict(reversed(features.items()))) == requested
    explanation = explainer.explain(requested)
    assert set(explanation.contributions) == set(features)
    sizes = [abs(contribution) for contribution in explanation.contributions.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_each_package_explains_its_own_prediction(loaded_models: dict[str, LoadedModel]) -> None:
    for model in loaded_models.values():
        explainer = PredictionExplainer(model.package)
        features = explainer.parse_request(make_rows(1)[0])
        (scored,) = model.scorer.score([tuple(features.values())])
        explanation = explainer.explain(features)
        assert (explanation.prediction, explanation.confidence) == (scored.label, scored.confidence)


def test_an_invalid_request_is_refused(loaded_model: LoadedModel) -> None:
    with pytest.raises(InvalidRequest, match="nonsense"):
        PredictionExplainer(loaded_model.package).parse_request({"nonsense": 1})


def test_a_prediction_without_stored_values_is_not_explained(loaded_model: LoadedModel) -> None:
    explainer = PredictionExplainer(loaded_model.package)
    schema = loaded_model.schema
    hidden = [replace(column, store="hash" if column.name == "Stage_fear" else "full") for column in schema.columns]
    explainer.package = replace(loaded_model.package, schema=replace(schema, columns=tuple(hidden)))
    with pytest.raises(DataError, match="the log does not hold the values of Stage_fear"):
        explainer.parse_logged(make_rows(1)[0])
