"""A row gets the same score alone, in a batch and from the cache, with its warnings and its logged features."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.package import load_package
from pipeline.serving.scorer import RowScorer
from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package

ROWS = [tuple(features.values()) for features in make_rows(60)]


@pytest.fixture(params=["linear", "boosted"])
def package(request: pytest.FixtureRequest, packages: dict[str, Path]) -> Package:
    return load_package(packages[request.param])


def make_scorer(package: Package, **changes: Any) -> RowScorer:
    return RowScorer(package, **{"many_missing": 1.0, "hash_key": b"key", **changes})


def complete_row(package: Package) -> dict[str, Any]:
    """Return the declared example of each feature."""
    return {column.name: column.example for column in package.schema.features}


def warnings_of(package: Package, features: dict[str, Any], **changes: Any) -> list[dict[str, str]]:
    (scored,) = make_scorer(package, **changes).score([tuple(features.values())])
    warnings: list[dict[str, str]] = json.loads(f"{{{scored.json_suffix[2:]}}}")["warnings"]
    return warnings


def test_probabilities_are_those_of_the_package(package: Package) -> None:
    columns = dict(zip(package.schema.feature_names, zip(*ROWS, strict=True), strict=True))
    expected = package.predict_proba({name: list(values) for name, values in columns.items()})
    assert np.array_equal(make_scorer(package).probabilities(ROWS), expected)


def test_the_parts_of_a_score_agree(package: Package) -> None:
    for scored in make_scorer(package).score(ROWS):
        members = json.loads(f"{scored.json_prefix}{scored.json_suffix}}}")
        assert members["prediction"] == scored.label
        assert members["confidence"] == scored.confidence == max(scored.probabilities)
        assert members["probabilities"] == json.loads(scored.probabilities_json)
        assert list(members["probabilities"].values()) == scored.probabilities


@pytest.mark.parametrize("cached_rows", [0, 5, 1_000])
def test_scores_do_not_depend_on_the_cache_or_the_batch(package: Package, cached_rows: int) -> None:
    scorer = make_scorer(package, cached_rows=cached_rows)
    rows = [*ROWS, *reversed(ROWS)]
    alone = [make_scorer(package).score([row])[0] for row in rows]
    assert scorer.score(rows) == scorer.score(rows) == alone


def test_a_scored_row_is_in_the_cache_and_another_row_is_not(package: Package) -> None:
    scorer = make_scorer(package, cached_rows=10)
    (scored,) = scorer.score(ROWS[:1])
    different = next(row for row in ROWS if row != ROWS[0])
    assert scorer.cached(ROWS[0]) is scored
    assert scorer.cached(different) is None


def test_without_a_cache_no_row_is_stored(package: Package) -> None:
    scorer = make_scorer(package, cached_rows=0)
    scorer.score(ROWS[:1])
    assert scorer.cached(ROWS[0]) is None


def test_a_typical_row_has_no_warnings(package: Package) -> None:
    assert warnings_of(package, complete_row(package)) == []


@pytest.mark.parametrize(("value", "side"), [(10**9, "above"), (-(10**9), "below")])
def test_a_value_outside_the_training_range_is_named(package: Package, value: int, side: str) -> None:
    name = next(column.name for column in package.schema.features if column.kind == "integer")
    (warning,) = warnings_of(package, {**complete_row(package), name: value})
    assert (warning["feature"], warning["rule"]) == (name, "out_of_range")
    assert f"{side} the training range" in warning["message"]


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ("full", '"Perhaps" is none of the known words; it is encoded as other'),
        ("hash", "the value occurs in few training rows, or in none; it is encoded as other"),
    ],
)
def test_a_word_that_training_never_saw_is_named_unless_it_is_private(
    package: Package, store: Any, message: str
) -> None:
    columns = [
        replace(column, unseen="other", store=store) if column.name == "Stage_fear" else column
        for column in package.schema.columns
    ]
    opened = replace(package, schema=replace(package.schema, columns=tuple(columns)))
    (warning,) = warnings_of(opened, {**complete_row(package), "Stage_fear": "Perhaps"})
    assert warning == {"feature": "Stage_fear", "rule": "unseen", "message": message}


@pytest.mark.parametrize(("n_missing", "rules"), [(2, []), (3, ["many_missing"]), (7, ["many_missing"])])
def test_a_row_with_many_missing_values_gets_a_warning(package: Package, n_missing: int, rules: list[str]) -> None:
    features = dict.fromkeys(list(complete_row(package))[:n_missing])
    warnings = warnings_of(package, {**complete_row(package), **features}, many_missing=0.4)
    assert [warning["rule"] for warning in warnings] == rules


def test_features_are_logged_in_their_declared_form(packages: dict[str, Path]) -> None:
    package = load_package(packages["linear"])
    names = package.schema.feature_names
    forms = dict(zip(names, ["full", "bin", "hash", "drop", "bin"], strict=False))
    columns = tuple(replace(column, store=forms.get(column.name, "full")) for column in package.schema.columns)
    declared = replace(package, schema=replace(package.schema, columns=columns))
    row = next(values for features in make_rows(50) if None not in (values := tuple(features.values())))
    logged = [
        json.loads(RowScorer(declared, many_missing=1.0, hash_key=hash_key).score([row])[0].logged_features)
        for hash_key in (b"first", b"second")
    ]
    first: dict[str, Any] = logged[0]
    assert first[names[0]] == row[0]
    assert first[names[1]] == {"bin": package.reference.column(names[1]).codes([row[1]])[0]}
    assert names[3] not in first
    assert list(first[names[2]]) == ["hash"]
    assert logged[0][names[2]] != logged[1][names[2]]
