from __future__ import annotations

import pandas as pd

from pipeline.schema import Column, Schema
from pipeline.validation.rule_failures import RuleFailures, check_with_pandera, sort_failures
from tests.pipeline.validation.validation_samples import TARGET


def test_pandera_lists_the_first_examples_and_counts_all() -> None:
    schema = Schema("made", (Column("size", "integer", "Int64", checks={"le": 5}),), TARGET)
    frame = pd.DataFrame({"size": [9, 1, 8, 7], "outcome": "no"})
    failures = check_with_pandera(frame, schema, max_examples=2)
    assert failures.rules == (RuleFailures("size", "le", 3, [0, 2], ["9", "8"]),)
    assert failures.failed_rows.mask().tolist() == [True, False, True, True]


def test_failures_are_in_the_order_of_columns_and_rules() -> None:
    pairs = [("b", "le"), ("a", "missing"), ("a", "isin")]
    assert [(each.column, each.rule) for each in sort_failures(RuleFailures(*pair) for pair in pairs)] == sorted(pairs)
