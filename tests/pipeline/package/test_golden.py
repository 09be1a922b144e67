"""Golden rows cover the range of scores, and none of them is a row of the data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline.package.rule_baseline import fit_rule_baseline
from pipeline.schema import Column
from tests.fixtures import toy_dataset

if TYPE_CHECKING:
    from pathlib import Path

CANARY = {"size": 123456.789, "count": 987654, "seen_at": pd.Timestamp("1987-06-05")}
CANARY_TEXTS = ("123456.789", "987654", "1987-06-05")


def golden_of(store: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return train rows, of which one is the canary, and the golden rows of a model fitted to them."""
    frame = toy_dataset.rows(400)
    frame.loc[7, list(CANARY)] = list(CANARY.values())
    schema = toy_dataset.schema()
    columns = tuple(replace(column, store=store) for column in schema.columns)
    return frame, fit_rule_baseline(frame, replace(schema, columns=columns))["golden"]


def test_golden_rows_are_spread_over_the_scores(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    scores = [row[1] for row in golden["probabilities"][:8]]
    assert len(scores) == 8
    assert max(scores) - min(scores) > 0.7


@pytest.mark.parametrize("store", ["full", "bin", "hash", "drop"])
def test_no_golden_row_is_a_row_of_the_data(store: str) -> None:
    frame, golden = golden_of(store)
    names = list(golden["columns"])
    rows = {tuple(row) for row in frame[names].astype(object).where(frame[names].notna(), None).to_numpy().tolist()}
    golden_rows = zip(*golden["columns"].values(), strict=True)
    assert rows.isdisjoint({row for row in golden_rows if any(value is not None for value in row)})


@pytest.mark.parametrize("store", ["bin", "hash", "drop"])
def test_a_value_of_a_person_is_in_no_golden_row_of_a_column_that_is_not_stored_in_full(store: str) -> None:
    _, golden = golden_of(store)
    text = json.dumps(golden["columns"])
    assert [canary for canary in CANARY_TEXTS if canary in text] == []
    assert golden["columns"]["size"]


def test_the_extremes_of_a_column_that_is_stored_in_full_are_golden_values() -> None:
    frame, golden = golden_of("full")
    assert {frame["count"].min(), frame["count"].max()} <= set(golden["columns"]["count"])


@pytest.mark.parametrize(
    ("kind", "dtype", "checks", "values"),
    [
        ("text", "string", {}, ["Ada", "Bob"]),
        ("text", "string", {"str_length": {"max_value": 2}}, ["Al", "Bo"]),
        ("integer", "Int64", {"isin": [10, 20, 40]}, [10, 20, 40]),
        ("float", "Float64", {"notin": [3.5]}, [3.0, 4.0]),
    ],
)
def test_a_golden_value_of_a_private_column_passes_its_checks(
    kind: Any, dtype: str, checks: dict[str, Any], values: list[Any]
) -> None:
    schema, frame = toy_dataset.schema(), toy_dataset.rows(100)
    column = Column("more", kind, dtype, checks=checks, store="drop", example="xx" if kind == "text" else None)
    frame["more"] = pd.Series([values[at % len(values)] for at in range(100)], dtype=dtype)
    golden = fit_rule_baseline(frame, replace(schema, columns=(*schema.columns, column)))["golden"]
    assert {value is not None and column.accepts(value) for value in golden["columns"]["more"]} == {True}
