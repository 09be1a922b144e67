"""A model with derived columns: rows, log and forms are those of the features, and a row has the same bits anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import package
from pipeline.evaluation.importance import permutation_importance
from pipeline.metrics import compute_metrics
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.schema import Schema
from pipeline.serving.scorer import RowScorer
from tests.fixtures.small_packages import parts, unseen_rows, write_small_package
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

DERIVED = (
    '+features.derived.rate="Going_outside / Friends_circle_size"',
    "+features.derived.fearful=\"Stage_fear == 'Yes' and rate < 1\"",
    '+features.derived.log_alone="log1p(Time_spent_Alone) ** 1.5"',
)
N_ROWS = 400


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    folder: Path = tmp_path_factory.mktemp("derived") / "candidate"
    write_small_package(folder, "personality", "model=logistic_regression", *DERIVED, n_rows=N_ROWS)
    return package.load_package(folder)


def test_the_model_learns_from_derived_columns_and_the_schema_is_as_without(loaded: package.Package) -> None:
    schema = Schema.from_config(settings("data=personality").data)
    encoder = loaded.serving_classifier.encoder
    assert {"rate", "fearful", "log_alone"} <= {name.partition("=")[0] for name in encoder.feature_names_out_}
    assert loaded.schema == schema
    assert encoder.feature_names_in_ == schema.feature_names
    assert [bins.name for bins in loaded.reference.columns] == list(schema.feature_names)


def test_a_row_has_the_same_bits_alone_in_a_batch_and_in_a_file(loaded: package.Package) -> None:
    rows = unseen_rows("personality", N_ROWS)
    plain = {name: rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in rows}
    tuples = list(zip(*(plain[name] for name in loaded.schema.feature_names), strict=True))
    scorer = RowScorer(loaded, many_missing=1.0, hash_key=b"key", cached_rows=10)
    expected = loaded.predict_proba(rows)
    assert np.array_equal(scorer.probabilities(tuples), expected)
    assert all(np.array_equal(scorer.probabilities([row])[0], expected[at]) for at, row in enumerate(tuples))


def test_the_log_has_the_features_alone(loaded: package.Package) -> None:
    scorer = RowScorer(loaded, many_missing=1.0, hash_key=b"key")
    (scored,) = scorer.score([tuple(column.example for column in loaded.schema.features)])
    assert list(json.loads(scored.logged_features)) == list(loaded.schema.feature_names)


def test_the_card_lists_each_expression_and_what_it_uses(loaded: package.Package) -> None:
    assert "| `rate` | float | `Going_outside / Friends_circle_size` |" in loaded.card
    assert "`Stage_fear`, `Going_outside`, `Friends_circle_size` |" in loaded.card


def test_the_importance_of_a_feature_includes_what_is_derived_from_it(loaded: package.Package) -> None:
    test, target = parts("personality", N_ROWS).test, loaded.schema.target
    codes = encode_target(test, target)

    def log_loss(frame: pd.DataFrame) -> float:
        rows = make_scored_rows(target, codes, loaded.predict_proba(frame), threshold=loaded.threshold)
        return compute_metrics(rows, ["log_loss"])["log_loss"]

    importances = permutation_importance(loaded.serving_classifier, test, codes, metric="log_loss", repeats=1, seed=0)
    rng, expected = np.random.default_rng(0), {}
    for name in loaded.schema.feature_names:
        order = rng.permutation(len(test))
        shuffled = test.assign(**{name: test[name].to_numpy()[order]}).astype({name: test[name].dtype})
        expected[name] = pytest.approx(log_loss(shuffled) - log_loss(test), abs=1e-9)
    assert {feature.column: feature.mean for feature in importances} == expected
