from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.schema import Column, Schema
from pipeline.validation.arrow_rows import is_missing, open_rows
from tests.pipeline.validation.validation_samples import SCHEMA, TARGET

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.schema import ColumnKind


def test_frame_and_file_give_the_same_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": [0.5, None], "count": [1, 2], "text": ["a", None], "outcome": ["no", "yes"], "x": 1})
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    of_frame, of_file = open_rows(frame, SCHEMA), open_rows(path, SCHEMA)
    pd.testing.assert_frame_equal(of_frame.to_frame(), of_file.to_frame())
    assert of_frame.undeclared_columns == of_file.undeclared_columns == ("x",)


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("integer", pa.array([1.5]), "some numbers are not whole"),
        ("integer", pa.array(["1"]), "has type string, integer is declared"),
        ("boolean", pa.array([1]), "has type int64, boolean is declared"),
        ("datetime", pa.array(["2026-01-31"]), "has type string, datetime is declared"),
        ("text", pa.array([1]), "has type int64, text is declared"),
    ],
)
def test_column_of_another_type_is_unreadable(tmp_path: Path, kind: ColumnKind, values: pa.Array, reason: str) -> None:
    schema = Schema("made", (Column("value", kind, "made"),), TARGET)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"value": values, "outcome": ["no"]}), path)
    for source in (path, pd.read_parquet(path, dtype_backend="pyarrow")):
        assert reason in open_rows(source, schema).unreadable["value"]


@pytest.mark.parametrize("values", [[1.0, float("nan"), None], [None, None, None]])
def test_nan_and_none_are_missing(values: list[Any]) -> None:
    frame = pd.DataFrame({"size": pd.Series(values, dtype="object"), "count": 1, "text": "a", "outcome": "no"})
    (batch,) = open_rows(frame, SCHEMA).batches(["size"])
    expected = [value is None or value != value for value in values]  # noqa: PLR0124 - NaN differs from itself
    assert is_missing(batch.column("size")).tolist() == expected


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_rows(tmp_path / "rows.parquet", SCHEMA)


@pytest.mark.parametrize("store", ["bin", "hash", "drop"])
def test_no_reason_quotes_a_value_of_a_private_column(store: Any) -> None:
    schema = Schema("made", (Column("age", "integer", "Int64", store=store),), TARGET)
    frame = pd.DataFrame({"age": pd.Series([1, "canary"], dtype=object), "outcome": ["no", "yes"]})
    assert open_rows(frame, schema).unreadable == {"age": f"has values of several types (not shown (store: {store}))"}
