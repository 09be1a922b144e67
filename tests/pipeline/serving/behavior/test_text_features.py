"""A model of texts, words of many values and dates: the same bits everywhere, explained, varied and monitored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline.monitoring.drift import detect_drift
from pipeline.monitoring.drift.detection import DriftContext
from pipeline.monitoring.log.log_batch import DictionaryColumn, LogBatch, LogColumns
from pipeline.monitoring.log.rollup_layout import FEATURES, PREDICTIONS, RollupLayout
from pipeline.serving.explanation import feature_contributions
from pipeline.serving.loaded_model import LoadedModel
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.scorer import RowScorer
from pipeline.serving.what_if import what_if_predictions
from tests.fixtures.text_problem import SCHEMA, text_rows, write_text_package
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.package import Package


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return write_text_package(tmp_path_factory.mktemp("texts") / "candidate")


@pytest.fixture(scope="module")
def model(loaded: Package) -> LoadedModel:
    parser, scorer = RowParser(loaded.schema, max_rows=1000), RowScorer(loaded, many_missing=1.0, hash_key=b"key")
    return LoadedModel("orders", 1, "d" * 64, 1, "production", loaded, parser, scorer)


def plain_rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = [frame[name].astype(object).where(frame[name].notna(), None) for name in SCHEMA.feature_names]
    return [
        tuple(value.isoformat() if isinstance(value, pd.Timestamp) else value for value in row)
        for row in zip(*columns, strict=True)
    ]


def logged(model: LoadedModel, frame: pd.DataFrame) -> LogColumns:
    """Return rows as the server logs them."""
    scored = model.scorer.score(plain_rows(frame))
    return LogColumns(
        predicted_at=np.zeros(len(frame), dtype=np.int64),
        features=DictionaryColumn.encode(row.logged_features for row in scored),
        prediction=DictionaryColumn.encode(row.label for row in scored),
        probabilities=DictionaryColumn.encode(row.probabilities_json for row in scored),
        confidence=np.array([row.confidence for row in scored]),
        latency_us=np.ones(len(frame), dtype=np.int64),
        outcome=DictionaryColumn.encode([None] * len(frame)),
    )


def drifted_columns(model: LoadedModel, frame: pd.DataFrame) -> set[str]:
    """Return the columns that drift when these rows are logged and rolled up."""
    layout = RollupLayout(model.package)
    tallies = layout.tally_by_section(logged(model, frame), np.zeros(len(frame), dtype=np.int64), 1)
    counts = layout.bin_counts(tallies[FEATURES][0], tallies[PREDICTIONS][0])
    report = detect_drift(layout.reference, counts, DriftContext.from_config(settings(), SCHEMA))
    return {finding.column for finding in report.findings if finding.verdict == "drift" and finding.kind == "feature"}


def test_a_row_has_the_same_bits_alone_in_a_batch_and_in_a_file(model: LoadedModel) -> None:
    frame = text_rows(60, 5)
    expected, rows = model.package.predict_proba(frame), plain_rows(frame)
    assert np.array_equal(model.scorer.probabilities(rows), expected)
    assert all(np.array_equal(model.scorer.probabilities([row])[0], expected[at]) for at, row in enumerate(rows))


def test_an_explanation_is_about_the_columns_of_the_row(model: LoadedModel) -> None:
    label, _, contributions = feature_contributions(
        model.scorer, (10.0, "city 20", "word1 broken refund word7", "2025-06-01")
    )
    assert label == "yes"
    assert set(contributions) == set(SCHEMA.feature_names)
    assert max(contributions, key=lambda name: abs(contributions[name])) == "note"
    assert contributions["note"] > 0.1


def test_what_if_tries_frequent_words_and_dates(loaded: Package) -> None:
    row = {"spent": 10.0, "city": "a new one", "note": "word1", "ordered_at": "2025-06-01T00:00:00"}
    tried = what_if_predictions(loaded, row, label="yes")
    values = {name: [each.value for each in tried if each.feature == name] for name in row}
    assert {"a new one", "missing"} < set(values["city"])
    assert all(value.startswith("city ") for value in set(values["city"]) - {"a new one", "missing"})
    assert values["ordered_at"] == sorted(values["ordered_at"])
    assert "2025-06-01T00:00:00" in values["ordered_at"]


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ({}, set()),
        ({"new_share": 0.3}, {"note=new_words", "note=length"}),
        ({"n_words": 14}, {"note=length"}),
        ({"new_cities": 0.5}, {"city"}),
        ({"late_days": 60}, {"ordered_at"}),
        ({"late_days": -365}, set()),
    ],
)
def test_the_monitor_finds_what_shifted(model: LoadedModel, shift: dict[str, float], expected: set[str]) -> None:
    assert drifted_columns(model, text_rows(500, 11, **shift)) - {"note=new_words"} == expected - {"note=new_words"}
    assert expected <= drifted_columns(model, text_rows(500, 12, **shift))


def test_the_card_names_the_encoding_of_each_feature(loaded: Package) -> None:
    cells = [line.split(" | ") for line in loaded.card.splitlines() if line.startswith("| `")]
    encoded = {row[0].strip("|` "): row[4] for row in cells if len(row) == 6}
    assert encoded["city"] == "words (13 numbers)"
    assert encoded["note"].startswith("text (")
    assert encoded["ordered_at"].startswith("parts (")


def test_the_log_holds_the_features_and_the_roll_up_a_few_counts(model: LoadedModel) -> None:
    columns = logged(model, text_rows(5, 3))
    assert set(json.loads(columns.features.dictionary[0] or "")) == set(SCHEMA.feature_names)
    batch = LogBatch(columns, model.package)
    codes = batch.feature_codes(RollupLayout(model.package).reference)
    assert set(codes) == {"spent", "city", "ordered_at", "note=length", "note=new_words"}
    assert RollupLayout(model.package).section_length(FEATURES) < 5_000
