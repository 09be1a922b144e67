"""Every train row meets the filter, and other rows seldom do."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import IntegrityError
from pipeline.package.train_row_filter import TrainRowFilter, build_train_row_filter
from pipeline.schema import Column, Schema, Target
from pipeline.schema.feature_hash import HashSplit, feature_hashes

SCHEMA = Schema("rows", (Column("a", "integer", "Int64"), Column("b", "float", "Float64")), Target("c", ("n", "y")))


def make_rows(first: int, n_rows: int) -> pd.DataFrame:
    numbers = np.arange(first, first + n_rows)
    return pd.DataFrame({"a": pd.array(numbers, dtype="Int64"), "b": pd.array(numbers / 7, dtype="Float64"), "c": "n"})


@pytest.mark.parametrize("n_rows", [1, 30, 1000, 20_000])
def test_every_train_row_is_known(n_rows: int) -> None:
    rows = make_rows(0, n_rows)
    assert build_train_row_filter(rows, SCHEMA).may_contain(rows.sample(frac=1, random_state=0), SCHEMA).all()


@pytest.mark.parametrize("n_rows", [1000, 1025, 5000])
def test_a_foreign_row_is_taken_for_a_train_row_at_the_stated_rate(n_rows: int) -> None:
    share = build_train_row_filter(make_rows(0, n_rows), SCHEMA).may_contain(make_rows(10**6, 20_000), SCHEMA).mean()
    assert 1 / 20 < share < 1 / 7.5


def test_the_size_is_at_most_two_bytes_a_row() -> None:
    assert build_train_row_filter(make_rows(0, 5000), SCHEMA).buckets.nbytes <= 2 * 5000


def test_a_row_of_the_test_part_is_never_taken_for_a_train_row() -> None:
    rule, rows = HashSplit(3, 0.2), make_rows(0, 4000)
    is_test = rule.is_test(feature_hashes(rows, SCHEMA))
    train_rows = build_train_row_filter(rows[~is_test], SCHEMA, rule)
    assert (train_rows.may_contain(rows, SCHEMA) == ~is_test).all()


def test_a_rule_that_a_train_row_breaks_is_dropped() -> None:
    rule, rows = HashSplit(3, 0.2), make_rows(0, 100)
    train_rows = build_train_row_filter(rows, SCHEMA, rule)
    assert train_rows.split is None
    assert train_rows.may_contain(rows, SCHEMA).all()


@pytest.mark.parametrize("rule", [None, HashSplit(3, 0.2)])
def test_the_written_form_gives_an_equal_filter(rule: HashSplit | None) -> None:
    rows = make_rows(0, 100)
    rows = rows if rule is None else rows[~rule.is_test(feature_hashes(rows, SCHEMA))]
    train_rows = build_train_row_filter(rows, SCHEMA, rule)
    read = TrainRowFilter.from_dict(json.loads(json.dumps(train_rows.as_dict())))
    assert (read.n_bits, read.split) == (train_rows.n_bits, rule)
    np.testing.assert_array_equal(read.buckets, train_rows.buckets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "format 9 is not known"),
        ({"n_bits": 7}, "bytes for 7 bits"),
        ({"buckets": "?"}, "invalid content"),
        ({"split": {"seed": 1}}, "invalid content"),
    ],
)
def test_a_damaged_filter_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        TrainRowFilter.from_dict({**build_train_row_filter(make_rows(0, 100), SCHEMA).as_dict(), **change})
