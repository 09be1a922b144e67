from __future__ import annotations

import pandas as pd

from pipeline.schema import Column, Schema
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.unique_keys import unique_keys
from tests.pipeline.validation.validation_samples import TARGET


def test_keys_with_a_missing_part_are_left_out() -> None:
    columns = (Column("a", "integer", "Int64", nullable=True, unique=True), Column("b", "integer", "Int64"))
    schema = Schema("made", columns, TARGET, ("a", "b"))
    frame = pd.DataFrame({"a": pd.array([1, None, 1, 2], dtype="Int64"), "b": [1, 1, 1, 1], "outcome": "no"})
    rows = open_rows(frame, schema)
    (batch,) = rows.batches()
    keys = unique_keys(rows.kinds, schema)
    assert [(key.label, key.rule) for key in keys] == [("a", "unique"), ("a, b", "unique_together")]
    for key in keys:
        hashes, numbers = key.hash_rows(batch, 10)
        assert (numbers.tolist(), hashes[0] == hashes[1], hashes[0] == hashes[2]) == ([10, 12, 13], True, False)


def test_a_key_with_an_unreadable_column_is_left_out() -> None:
    schema = Schema("made", (Column("a", "integer", "Int64", unique=True),), TARGET, ("a",))
    assert unique_keys({"outcome": "category"}, schema) == []
