"""A contribution is the loss of probability when a feature takes the values of the training rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.package import Bins
from pipeline.schema import Column
from pipeline.serving.explanation import _replacement_values, explanation_response, feature_contributions
from tests.fixtures.registered_project import make_rows, row_body

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel


def test_a_contribution_subtracts_the_mean_over_the_training_values(loaded_model: LoadedModel) -> None:
    features = make_rows(1)[0]
    row = loaded_model.parser.parse_row(row_body(features)).rows[0]
    label, confidence, contributions = feature_contributions(loaded_model.scorer, row)
    assert sorted(contributions) == sorted(features)
    bins = loaded_model.reference.column("Stage_fear")
    counts = dict(zip(bins.labels, bins.counts, strict=True))
    words = [*bins.points, None]
    frame = pd.DataFrame([{**features, "Stage_fear": word} for word in words]).astype({"Stage_fear": "string"})
    package = loaded_model.package
    probabilities = package.predict_proba(frame.convert_dtypes())[:, package.classes.index(label)]
    weights = [*(counts[word] for word in bins.points), counts["missing"]]
    expected = confidence - np.average(probabilities, weights=weights)
    assert contributions["Stage_fear"] == pytest.approx(expected)


def test_the_response_lists_the_largest_contributions_first(loaded_model: LoadedModel) -> None:
    row = loaded_model.parser.parse_row(row_body(make_rows(1)[0])).rows[0]
    response = json.loads(explanation_response(loaded_model, row))
    sizes = [abs(item["contribution"]) for item in response["contributions"]]
    assert sizes == sorted(sizes, reverse=True)
    assert response["unit"] == f"probability of {response['prediction']}"
    assert response["model_version"] == loaded_model.version


def test_other_words_of_the_training_rows_count_as_one_word() -> None:
    column = Column("plan", "category", "category", categories=("basic", "pro"), unseen="other")
    bins = Bins("plan", "words", ("basic", "pro"), (6, 3, 2, 1))
    values, counts = _replacement_values(column, bins)
    assert (values[:2], values[2] in column.categories, values[3]) == (["basic", "pro"], False, None)
    assert counts == [6, 3, 2, 1]
