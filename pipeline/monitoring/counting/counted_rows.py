"""Count the rows of one part by bin: features, and predictions where the file has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_reader import open_binary, read_column_names
from pipeline.data.row_dialect import choose_file_dialect
from pipeline.data.row_tables import read_row_tables
from pipeline.errors import DataError
from pipeline.monitoring.log import BinCounts, count_frame
from pipeline.schema import TextFormat

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.data.part_rows import PartRows
    from pipeline.package import Package

__all__ = ["CountedRows"]


@dataclass(frozen=True)
class CountedRows:
    """Counts rows in the bins of a package.

    A column that a file lacks is a problem of that column, and refuses no row. Columns `prediction`, `confidence` and
    `probability_<class>`, as `mlops predict` writes them, are counted as predictions. All others are left out.

    Parameters
    ----------
    package : Package
        Its reference has the bins.
    """

    package: Package

    def count(self, rows: PartRows) -> BinCounts:
        """Return the counts of a part.

        Raises
        ------
        DataError
            When the file has no column of the model, or a value of another type than is declared.
        """
        dialect, names = self._header(rows)
        formats = self._formats(names)
        if not formats:
            raise DataError(
                f"{rows.address}: has no column of the model; expected some of {', '.join(self.package.schema.feature_names)}"
            )
        source = rows.csv if rows.typed is None else rows.typed
        notes = self.package.schema.private_notes
        tables = read_row_tables(source, formats, dialect, where=rows.address, private_notes=notes)
        return reduce(BinCounts.merge, map(self.count_table, tables))

    def count_table(self, table: pa.Table) -> BinCounts:
        """Return the counts of a batch of rows."""
        columns: dict[str, Any] = {name: table.column(name).combine_chunks() for name in table.column_names}
        outputs = {name: columns.pop(name) for name in self._outputs(table.column_names)}
        probabilities = [outputs[name] for name in self._probability_names if name in outputs]
        is_whole = len(probabilities) == len(self._probability_names)
        positive = self.package.schema.target.positive
        score = None
        if positive is not None:
            score = outputs.get(f"probability_{positive}")
        elif is_whole:
            score = pc.max_element_wise(*probabilities)
        return count_frame(
            self.package.reference,
            columns,
            n_rows=table.num_rows,
            score=score,
            confidence=outputs.get("confidence"),
            predicted=outputs.get("prediction"),
        )
