"""Rows are cut into tables of one size, and prepared while others are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.package import load_package
from pipeline.serving.files.prediction_table import join_tables, predict_table, prefetch
from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 9), max_size=8), n_rows=st.integers(1, 10))
def test_joined_tables_have_the_same_rows_in_one_size(sizes: list[int], n_rows: int) -> None:
    rows = iter(range(sum(sizes)))
    tables = [pa.table({"row": pa.array([next(rows) for _ in range(size)], pa.int64())}) for size in sizes]
    joined = list(join_tables(iter(tables), n_rows=n_rows))
    assert [row for table in joined for row in table["row"].to_pylist()] == list(range(sum(sizes)))
    assert all(table.num_rows == n_rows for table in joined[:-1])
    assert all(0 < table.num_rows <= n_rows for table in joined)


def test_an_error_of_what_is_prepared_arrives_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise DataError("the third item")

    received = []
    with pytest.raises(DataError, match="the third item"):
        for item in prefetch(items()):
            received.append(item)  # noqa: PERF402 - those before the error remain
    assert received == [1, 2]


def test_the_number_of_rows_scored_at_once_changes_nothing(packages: dict[str, Path]) -> None:
    package = load_package(packages["boosted"])
    rows = pa.Table.from_pylist(make_rows(50))
    assert predict_table(package, rows, chunk_rows=7) == predict_table(package, rows, chunk_rows=100)
