"""Any cut of a table into parts gives the report of the whole."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema import Column, Schema
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats, compared_columns
from pipeline.validation.dataset_validation import TableFacts, report_facts, validate_rows
from pipeline.validation.hash_ranges import HashRanges, count_repeats, repeated_rows
from pipeline.validation.row_failures import without_private_values
from pipeline.validation.row_hash import row_hashes
from pipeline.validation.table_counts import TableCounts
from pipeline.validation.unique_keys import unique_keys
from tests.pipeline.validation.validation_samples import LIMITS, TARGET

CONFIG = LIMITS.model_copy(update={"pandera_max_rows": 1, "max_examples_per_rule": 3})
SCHEMA = Schema(
    "made",
    (
        Column("real", "float", "Float64", nullable=True, checks={"in_range": {"min_value": 0, "max_value": 5}}),
        Column("whole", "integer", "Int64", unique=True),
        Column("salary", "integer", "Int64", nullable=True, checks={"le": 6}, store="drop"),
        Column("word", "category", "category", nullable=True, categories=("a", "b"), checks={"isin": ["a", "b"]}),
        Column(
            "open", "category", "category", nullable=True, categories=("a",), checks={"isin": ["a"]}, unseen="other"
        ),
        Column("flag", "boolean", "boolean", nullable=True),
        Column("day", "datetime", "datetime64[us]", nullable=True),
        Column("text", "text", "string", nullable=True, checks={"str_matches": "[a-r]"}),
        Column("row_id", "text", "string", nullable=True, role="id"),
    ),
    TARGET,
    ("flag", "day"),
)
DAYS = pd.date_range("2026-01-01", periods=4, freq="13h").to_list()


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(2, 24))

    def column(values: list[Any], dtype: Any) -> Any:
        return pd.array(draw(st.lists(st.sampled_from([None, *values]), min_size=n, max_size=n)), dtype=dtype)

    return pd.DataFrame(
        {
            "real": column([-0.0, 0.0, 0.5, 7.5, np.inf, -np.inf], "Float64"),
            "whole": column([0, 1, 2, 2**60], "Int64"),
            "salary": column([3, 5, 9], "Int64"),
            "word": column(["a", "b", "c"], "string"),
            "open": column(["a", "x", "y"], "string"),
            "flag": column([True, False], "boolean"),
            "day": column(DAYS, "datetime64[us]"),
            "text": column(["red", "", "Grün"], "string"),
            "row_id": column(["1", "2"], "string"),
            "outcome": column(["no", "yes", "Yes"], "string"),
        }
    )


def report_of_parts(frame: pd.DataFrame, stops: list[int]) -> dict[str, Any]:
    rows = open_rows(frame, SCHEMA)
    table = next(iter(rows.batches()))
    merged = TableCounts(rows.kinds, SCHEMA, n_total=len(frame), max_examples=3)
    keys = unique_keys(rows.kinds, SCHEMA)
    for start, stop in pairwise([0, *stops, len(frame)]):
        counts, stored = (
            TableCounts(rows.kinds, SCHEMA, n_total=len(frame), max_examples=3, n_rows=stop - start, first_row=start)
            for _ in range(2)
        )
        counts.add(table.slice(start, stop - start), start)
        stored.load(json.loads(json.dumps(counts.as_dict())))
        merged.merge(stored)
    with HashRanges(max_memory_rows=5) as duplicates:
        duplicates.add(row_hashes(table, compared_columns(rows.kinds, SCHEMA)))
        n_duplicates = sum(count_repeats(hashes) for hashes, _ in duplicates.ranges())
    for key in keys:
        merged.failures.add_repeated(key, repeated_rows(*key.hash_rows(table, 0)))
    facts = TableFacts(
        merged.stats.to_stats(n_duplicates=n_duplicates),
        without_private_values(merged.failures.to_failures({}), SCHEMA),
        merged.unseen.to_words(len(frame)),
        rows.unreadable,
        rows.undeclared_columns,
    )
    return report_facts(facts, SCHEMA, CONFIG, name="rows").as_dict()


@given(frames(), st.sets(st.integers(0, 24)))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_any_table_gives_the_report_of_the_whole(frame: pd.DataFrame, stops: set[int]) -> None:
    whole = validate_rows(frame, SCHEMA, CONFIG, name="rows").as_dict()
    inner = sorted(stop for stop in stops if stop < len(frame))
    assert json.dumps(report_of_parts(frame, inner)) == json.dumps(whole)


def test_the_sample_of_parts_has_the_evenly_spaced_rows_of_the_whole() -> None:
    numbers = np.random.default_rng(0).normal(size=450_000)
    frame = pd.DataFrame({"real": numbers, "outcome": "no"})
    schema = Schema("made", (SCHEMA.columns[0],), TARGET)
    rows = open_rows(frame, schema)
    merged = TableCounts(rows.kinds, schema, n_total=len(frame), max_examples=3)
    limits, start = iter([131_073, 200_000, 450_000]), 0
    table = rows.source.combine_chunks().to_batches()[0]  # type: ignore[union-attr]
    names = list(rows.kinds)
    for stop in limits:
        counts = TableCounts(
            rows.kinds, schema, n_total=len(frame), max_examples=3, n_rows=stop - start, first_row=start
        )
        counts.add(table.select(names).slice(start, stop - start), start)
        merged.merge(counts)
        start = stop
    whole = collect_stats(rows, schema).column("real").sample
    assert merged.stats.to_stats(n_duplicates=0).column("real").sample.tolist() == whole.tolist()
    assert len(whole) == 150_000
