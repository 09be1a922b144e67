"""Columns are read in batches with their declared types, from CSV text and from an open file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.formats.arrow_files import open_parquet
from pipeline.data.row_tables import read_row_tables
from pipeline.errors import DataError
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {"color": TextFormat("category"), "size": TextFormat("integer")}
COLUMNS = {"size": [1, None, 3], "color": ["red", None, "red"], "row": [7, 8, 9]}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_both_kinds_of_files_give_the_same_values(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        path.write_text("size,color,row\n1,red,7\n,,8\n3,red,9\n", encoding="utf-8")
    else:
        pq.write_table(pa.table(COLUMNS), path)
    file = path if suffix == ".csv" else open_parquet(path)
    (table,) = read_row_tables(file, FORMATS, CsvDialect(), ids=("row",), where="in", private_notes={})
    ids = COLUMNS["row"] if suffix == ".parquet" else ["7", "8", "9"]
    assert table.to_pydict() == {"row": ids, "color": COLUMNS["color"], "size": COLUMNS["size"]}


def test_an_invalid_value_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    sizes = [*["1"] * 140_000, "tall"]
    pq.write_table(pa.table({"size": sizes}), tmp_path / "in.parquet")
    tables = read_row_tables(
        open_parquet(tmp_path / "in.parquet"), {"size": FORMATS["size"]}, CsvDialect(), where="in", private_notes={}
    )
    with pytest.raises(DataError, match=r"in: size: integer: .*row 140001: found 'tall'"):
        list(tables)
