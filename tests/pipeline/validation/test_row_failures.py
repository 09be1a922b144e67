"""Pandera and Arrow find the same failures, whatever the rows and rules."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline import files
from pipeline.schema import Column, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.row_failures import find_row_failures

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.validation.rule_failures import RowFailures

NUMBER_RULES: list[dict[str, Any]] = [
    {"in_range": {"min_value": 0, "max_value": 5}},
    {"in_range": {"min_value": 0, "max_value": 5, "include_min": False, "include_max": False}},
    {"ge": 1, "lt": 7},
    {"greater_than": {"min_value": 2}, "less_than_or_equal_to": {"max_value": 6}},
    {"isin": [1, 2, 3]},
    {"isin": {"allowed_values": [0, 4]}},
    {"notin": [2, 9]},
    {"eq": 3},
    {"ne": 3},
]
TEXT_RULES: list[dict[str, Any]] = [
    {"isin": ["red", "blue"]},
    {"notin": {"forbidden_values": ["red"]}},
    {"str_matches": "[a-r]"},
    {"str_contains": "e$"},
    {"str_startswith": "b"},
    {"str_endswith": {"string": "d"}},
    {"str_length": {"min_value": 2, "max_value": 3}},
    {"str_length": {"max_value": 3}},
    {"str_length": {"exact_value": 4}},
    {"str_length": 3},
    {"eq": "red"},
]
DATE_RULES: list[dict[str, Any]] = [
    {"in_range": {"min_value": "2026-01-02", "max_value": "2026-01-03"}},
    {"ge": "2026-01-02"},
]
TEXTS = ["red", "blue", "blues", "", "Grün", "e"]
DTYPES = {"integer": "Int64", "float": "Float64", "text": "string", "boolean": "boolean", "datetime": "datetime64[us]"}


def schema_of(*columns: Column, unique: tuple[str, ...] | None = None) -> Schema:
    return Schema("made", columns, Target("outcome", ("no", "yes"), "yes"), unique)


@st.composite
def declared_columns(draw: st.DrawFn, name: str, kind: Any, rules: list[dict[str, Any]]) -> Column:
    nullable, unique = draw(st.booleans()), draw(st.booleans())
    return Column(name, kind, DTYPES[kind], nullable=nullable, unique=unique, checks=draw(st.sampled_from(rules)))


@st.composite
def schemas_with_frames(draw: st.DrawFn) -> tuple[Schema, pd.DataFrame]:
    n = draw(st.integers(1, 30))

    def column(values: st.SearchStrategy[Any], dtype: Any) -> Any:
        return pd.array(draw(st.lists(st.none() | values, min_size=n, max_size=n)), dtype=dtype)

    frame = pd.DataFrame(
        {
            "whole": column(st.integers(-2, 9), "Int64"),
            "real": column(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 3.0, 5.0, 7.5]), "Float64"),
            "text": column(st.sampled_from(TEXTS), "string"),
            "flag": column(st.booleans(), "boolean"),
            "day": column(st.sampled_from(pd.date_range("2026-01-01", periods=5).to_list()), "datetime64[us]"),
            "outcome": column(st.sampled_from(["no", "yes", "Yes"]), "string"),
        }
    )
    columns = (
        draw(declared_columns("whole", "integer", NUMBER_RULES)),
        draw(declared_columns("real", "float", NUMBER_RULES)),
        draw(declared_columns("text", "text", TEXT_RULES)),
        draw(declared_columns("flag", "boolean", [{}, {"eq": True}])),
        draw(declared_columns("day", "datetime", DATE_RULES)),
    )
    unique = draw(st.sampled_from([None, ("whole", "text"), ("flag", "day", "real")]))
    return schema_of(*columns, unique=unique), frame


def find_with_both_paths(
    frame: pd.DataFrame | Path, schema: Schema, *, max_examples: int = 1000
) -> tuple[RowFailures, RowFailures]:
    rows = open_rows(frame, schema)
    by_pandera = find_row_failures(rows, schema, max_examples=max_examples, pandera_max_rows=rows.n_rows)
    by_arrow = find_row_failures(rows, schema, max_examples=max_examples, pandera_max_rows=0)
    return by_pandera, by_arrow


def failure_counts(row_failures: RowFailures) -> dict[tuple[str, str], tuple[int, list[int]]]:
    return {(rule.column, rule.rule): (rule.n_failed, rule.rows) for rule in row_failures.rules}


@given(schemas_with_frames())
@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
def test_pandera_and_arrow_find_the_same_rows(problem: tuple[Schema, pd.DataFrame]) -> None:
    schema, frame = problem
    by_pandera, by_arrow = find_with_both_paths(frame, schema)
    assert failure_counts(by_pandera) == failure_counts(by_arrow)
    assert by_pandera.failed_rows.mask().tolist() == by_arrow.failed_rows.mask().tolist()


def test_pandera_and_arrow_agree_on_a_file_read_in_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 300_000
    frame = pd.DataFrame(
        {
            "whole": pd.array(np.where(rng.random(n) < 0.01, 99, rng.integers(0, 6, n)), dtype="Int64"),
            "category": pd.array(rng.choice(["red", "blue", "green"], n, p=[0.5, 0.499, 0.001]), dtype="string"),
            "key": pd.array(np.where(rng.random(n) < 0.001, 7, np.arange(n)), dtype="Int64"),
            "outcome": pd.array(rng.choice(["no", "yes"], n), dtype="string"),
        }
    )
    frame.loc[rng.random(n) < 0.05, "whole"] = None
    schema = schema_of(
        Column("whole", "integer", "Int64", checks={"in_range": {"min_value": 0, "max_value": 5}}),
        Column("category", "category", "category", categories=("red", "blue"), checks={"isin": ["red", "blue"]}),
        Column("key", "integer", "Int64", unique=True),
    )
    path = tmp_path / "rows.parquet"
    files.write_parquet(path, frame)
    by_pandera, by_arrow = find_with_both_paths(path, schema, max_examples=50)
    assert failure_counts(by_pandera) == failure_counts(by_arrow)
    assert set(failure_counts(by_arrow)) == {
        ("whole", "in_range"),
        ("whole", "missing"),
        ("category", "isin"),
        ("key", "unique"),
    }
    assert by_arrow.failed_rows.mask().tolist() == by_pandera.failed_rows.mask().tolist()


def test_all_failures_are_counted_and_the_first_listed() -> None:
    frame = pd.DataFrame({"whole": np.full(5_000, 9), "outcome": "no"})
    schema = schema_of(Column("whole", "integer", "Int64", checks={"le": 5}))
    for row_failures in find_with_both_paths(frame, schema, max_examples=3):
        (rule,) = row_failures.rules
        assert astuple(rule) == ("whole", "le", 5_000, [0, 1, 2], ["9", "9", "9"])


def test_composite_key_is_counted_once_a_row() -> None:
    frame = pd.DataFrame({"a": [1, 1, 1], "b": [1, 1, 2], "outcome": "no"})
    schema = schema_of(Column("a", "integer", "Int64"), Column("b", "integer", "Int64"), unique=("a", "b"))
    for row_failures in find_with_both_paths(frame, schema):
        (rule,) = row_failures.rules
        assert (rule.column, rule.rule, rule.n_failed, rule.rows) == ("a, b", "unique_together", 2, [0, 1])


def test_check_without_arrow_form_runs_in_pandera_for_its_column_only() -> None:
    column = Column("text", "text", "string", checks={"unique_values_eq": ["red", "blue"], "str_startswith": "r"})
    forms = {constraint.name: constraint.has_arrow_form for constraint in column.constraints}
    assert forms == {"unique_values_eq": False, "str_startswith": True}


@pytest.mark.parametrize("value", [2**53 + 1, 2**62, -(2**63)])
def test_large_integers_are_compared_exactly(value: int) -> None:
    frame = pd.DataFrame({"whole": pd.array([value, None], dtype="Int64"), "outcome": "no"})
    schema = schema_of(Column("whole", "integer", "Int64", nullable=True, checks={"eq": value ^ 1}))
    by_pandera, by_arrow = find_with_both_paths(frame, schema)
    assert failure_counts(by_pandera) == failure_counts(by_arrow) == {("whole", "eq"): (1, [0])}


@pytest.mark.parametrize(
    ("checks", "reason"),
    [
        ({"str_matches": "a"}, "Can only use .str accessor"),
        ({"in_range": {"min_value": "a", "max_value": "b"}}, "greater_equal"),
        ({"unique_values_eq": [1]}, None),
    ],
)
def test_rule_that_fails_or_cannot_run_on_a_whole_column_hides_no_other(
    checks: dict[str, Any], reason: str | None
) -> None:
    frame = pd.DataFrame({"whole": [1, 2], "other": [9, 1], "outcome": "no"})
    schema = schema_of(
        Column("whole", "integer", "Int64", checks=checks), Column("other", "integer", "Int64", checks={"le": 5})
    )
    for row_failures in find_with_both_paths(frame, schema):
        (failure,) = row_failures.columns
        assert (failure.column, failure.rule) == ("whole", next(iter(checks)))
        assert failure.reason is None if reason is None else reason in str(failure.reason)
        assert failure_counts(row_failures) == {("other", "le"): (1, [0])}
