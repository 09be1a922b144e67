from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UsageError
from pipeline.schema import Schema
from pipeline.validation import DataValidator
from tests.fixtures.toy_dataset import settings

LIMITS = settings().validation


@pytest.fixture
def validator() -> DataValidator:
    return DataValidator(config=LIMITS)


def make_frame(n: int = 200, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(40 + shift, 9, n),
            "city": rng.choice(["Bern", "Rome"], n),
            "seen": pd.date_range("2026-01-01", periods=n),
            "is_new": rng.random(n) < 0.5,
            "outcome": rng.choice(["no", "yes"], n),
        }
    )


def test_any_frame_is_validated_without_a_declaration(validator: DataValidator) -> None:
    frame = make_frame()
    frame.loc[0, "age"] = None
    results = validator.validate_dataset(frame, "train_data")
    assert results["missing_data"]["columns"]["age"] == {"rows": 1, "share": 0.005}
    assert results["data_types"] == {
        "age": "float",
        "city": "category",
        "seen": "datetime",
        "is_new": "boolean",
        "outcome": "category",
    }
    assert results["duplicates"] == {"rows": 0, "share": 0.0}
    assert set(results["class_balance"]) == {"no", "yes"}
    assert {"outliers", "distributions", "leakage", "constant_columns", "findings"} < set(results)
    assert validator.get_data_quality_score("train_data") == results["quality_score"] > 95


def test_frames_are_validated_against_the_declared_schema() -> None:
    validator = DataValidator(Schema.from_config(settings().data), LIMITS)
    results = validator.validate_dataset(make_frame())
    assert results["level"] == "critical"
    assert results["undeclared_columns"] == ["age", "city", "is_new", "outcome", "seen"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"t": ["x" * 100_000 + str(at % 20) for at in range(100)]}),
        pd.DataFrame({"t": [1.0, np.inf, -np.inf, np.nan] * 5}),
        pd.DataFrame({"t": [1e308, -1e308] * 5}),
        pd.DataFrame({"t": [[1], [2]] * 5, "u": [1, "a"] * 5}),
        pd.DataFrame({"t": [None] * 5}),
        pd.DataFrame({"t": np.array([2**64 - 1, 1], dtype=np.uint64)}),
        pd.DataFrame({"t": pd.Categorical([1, 2, 1])}),
        pd.DataFrame(np.eye(3)),
        pd.DataFrame({"<script>": ["<b>", "&"]}),
    ],
    ids=["long words", "infinity", "overflow", "objects", "nothing", "uint64", "codes", "unnamed", "markup"],
)
def test_hostile_values_never_break_a_report(frame: pd.DataFrame, validator: DataValidator) -> None:
    from pipeline import files
    from pipeline.validation.validation_html import validation_report_html

    results = validator.validate_dataset(frame, "strange")
    assert len(files.canonical_json(results)) < 50_000
    drawn = validation_report_html(validator.report("strange"))
    assert len(drawn) < 50_000
    assert "<script>" not in drawn


def test_a_name_that_was_not_validated_is_refused_with_the_nearest(validator: DataValidator) -> None:
    validator.validate_dataset(make_frame(), "train_data")
    with pytest.raises(UsageError, match="'train_date' was not validated; known: train_data; did you mean"):
        validator.get_data_quality_score("train_date")


def test_duplicate_column_names_are_refused(validator: DataValidator) -> None:
    with pytest.raises(UsageError, match="columns x occur more than once"):
        validator.validate_dataset(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_drift_against_a_reference_names_the_drifted_columns(validator: DataValidator) -> None:
    drift = validator.detect_data_drift(make_frame(400, shift=9), make_frame(400))
    assert [result["column"] for result in drift if result["drifted"]] == ["age"]


@pytest.mark.parametrize("form", [pd.Series, np.asarray, list], ids=["series", "array", "list"])
def test_a_split_is_compared_whatever_form_its_classes_have(validator: DataValidator, form: Any) -> None:
    features, target = make_frame(1_000).drop(columns="outcome"), np.arange(1_000) % 2
    results = validator.validate_train_test_split(
        features[:800], features[800:], form(target[:800]), form(target[800:])
    )
    assert results["sizes"] == {"train": 800, "test": 200, "test_share": 0.2}
    assert results["class_balance"] == {"train": {"0": 0.5, "1": 0.5}, "test": {"0": 0.5, "1": 0.5}}
    assert results["duplicates_across_split"] == {"rows": 0, "share": 0.0}
    assert results["is_valid"]
