"""Rows of the log are read as columns, whatever their values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.monitoring.log.log_batch import LogBatch, loggable_reference
from tests.pipeline.monitoring.log_fixtures import (
    NOW,
    live_rows,
    numeric_feature,
    production_package,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_values_of_another_type_are_left_out_of_the_counts(project: Path) -> None:
    package, _ = production_package(project)
    names = list(package.schema.feature_names)
    features = json.loads(live_rows(50)[names].to_json(orient="records"))
    number = numeric_feature(package)
    rows = [
        store.LoggedRow(i, NOW, package.digest, "api", 1, json.dumps(row), package.classes[0], "{}", 0.5, 0, 1.0, None)
        for i, row in enumerate(features)
    ]
    reference = loggable_reference(package)
    by_chunk = LogBatch.from_rows(rows, package).feature_codes(reference)
    invalid = rows[0]._replace(features=json.dumps({**features[0], number: {"not": "a number"}}))
    by_row = LogBatch.from_rows([invalid, *rows[1:]], package).feature_codes(reference)
    assert by_row[number][0] == -1
    by_row[number][0] = by_chunk[number][0]
    assert {name: codes.tolist() for name, codes in by_row.items()} == {
        name: codes.tolist() for name, codes in by_chunk.items()
    }


def test_binned_features_are_counted_equally_by_chunk_and_by_row(project: Path) -> None:
    package, _ = production_package(project)
    number = numeric_feature(package)
    columns = tuple(
        replace(column, store="bin") if column.name == number else column for column in package.schema.columns
    )
    binned = replace(package, schema=replace(package.schema, columns=columns))
    texts = [json.dumps({number: {"bin": 2}}), json.dumps({number: None}), json.dumps({})]
    rows = [
        store.LoggedRow(i, NOW, package.digest, "api", 1, text, package.classes[0], "{}", 0.5, 0, 1.0, None)
        for i, text in enumerate(texts)
    ]
    last = len(package.reference.column(number).labels) - 1
    assert LogBatch.from_rows(rows, binned).feature_codes(loggable_reference(binned))[number].tolist() == [
        2,
        last,
        last,
    ]
