"""Write predictions to a CSV or Parquet file, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow import parquet as pq

from pipeline.text import SPREADSHEET_FORMULA

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PREDICTION_SUFFIXES", "PredictionFile"]

PREDICTION_SUFFIXES = (".csv", ".parquet")


class PredictionFile:
    """Writes a growing file of predictions; its columns are those of the first table.

    Parameters
    ----------
    path : Path
    is_parquet : bool
        CSV otherwise.
    group_rows : int
        Rows of a row group of Parquet.
    escapes_formulas : bool
        Whether a text of a CSV file that a spreadsheet would calculate gets an apostrophe before it.
    """

    def __init__(self, path: Path, *, is_parquet: bool, group_rows: int, escapes_formulas: bool) -> None:
        self._path = path
        self._is_parquet = is_parquet
        self._group_rows = group_rows
        self._escapes_formulas = escapes_formulas and not is_parquet
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table."""
        if self._escapes_formulas:
            table = _escape_formulas(table)
        if self._writer is None:
            self._writer = self._open_writer(table.schema)
        if self._is_parquet:
            self._writer.write_table(table, row_group_size=self._group_rows)
        else:
            self._writer.write_table(table)

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()

    def _open_writer(self, schema: pa.Schema) -> Any:
        if self._is_parquet:
            return pq.ParquetWriter(self._path, schema, compression="zstd", version="2.6")
        return csv.CSVWriter(self._path, schema, write_options=csv.WriteOptions(quoting_style="needed"))


def _escape_formulas(table: pa.Table) -> pa.Table:
    """Put an apostrophe before each text, names included, that a spreadsheet would calculate."""
    columns = [
        pc.replace_substring_regex(column.cast(pa.string()), *SPREADSHEET_FORMULA) if _is_text(column.type) else column
        for column in table.columns
    ]
    names = pc.replace_substring_regex(pa.array(table.column_names), *SPREADSHEET_FORMULA)
    return pa.table(columns, names=names.to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
